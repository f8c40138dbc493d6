//! What the compiler writes, as far as people care.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A diagnostic of the compiler, as far as people care.
#[derive(Clone, Debug, Deserialize)]
pub struct Diagnostic {
    /// As the compiler renders it, with colours.
    #[serde(default)]
    pub rendered: Option<String>,
    /// The sentence alone.
    pub message: String,
    /// `error`, `warning`, …
    pub level: String,
    #[serde(default)]
    code: Option<IgnoredAny>,
    #[serde(default)]
    children: Vec<Child>,
}

/// What the compiler says of code that later ones will refuse.
#[derive(Deserialize)]
struct FutureReport {
    future_incompat_report: Vec<FutureItem>,
}

#[derive(Deserialize)]
struct FutureItem {
    diagnostic: Diagnostic,
}

#[derive(Clone, Debug, Deserialize)]
struct Child {
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Clone, Debug, Deserialize)]
struct Span {
    suggestion_applicability: Option<String>,
}

impl Diagnostic {
    /// Whether the compiler offers a correction that needs no thought.
    pub fn is_fixable(&self) -> bool {
        let mut spans = self.children.iter().flat_map(|child| &child.spans);
        spans.any(|span| span.suggestion_applicability.as_deref() == Some("MachineApplicable"))
    }

    /// Whether this is the warning of a lint, which could be allowed.
    pub fn is_lint(&self) -> bool {
        self.level == "warning" && self.code.is_some()
    }

    /// Whether this only sums up what went before, which is done here better.
    pub fn is_summary(&self) -> bool {
        self.message.starts_with("aborting due to")
            || self.message.ends_with("warning emitted")
            || self.message.ends_with("warnings emitted")
    }
}

/// Diagnostics of code that later compilers will refuse, rendered with colours, if a line of the compiler's is about
/// that.
pub(crate) fn future_reports(line: &str) -> Option<Vec<String>> {
    if !line.contains("\"$message_type\":\"future_incompat\"") {
        return None;
    }
    let report: FutureReport = serde_json::from_str(line).ok()?;
    Some(report.future_incompat_report.into_iter().filter_map(|item| item.diagnostic.rendered).collect())
}
