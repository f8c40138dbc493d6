use super::format::Pattern;

#[test]
fn formats() {
    for good in ["{p}", "{p} {l}", "{{{p}}}", "", "a{f}b{lib}{r}", "{package}{license}{repository}{features}"]
    {
        assert!(Pattern::parse(good).is_ok(), "{good}");
    }
    for (bad, why) in [
        ("{", "expected '}'"),
        ("}", "unexpected '}'"),
        ("{p", "expected '}'"),
        ("{x}", "unsupported pattern `x`"),
    ] {
        let error = Pattern::parse(bad).err().map(|failure| failure.to_string());
        assert_eq!(error.as_deref(), Some(why), "{bad}");
    }
}
