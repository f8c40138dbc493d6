//! `tree`

use std::collections::BTreeSet;

use wharf_core::DepKind;
use wharf_ops::tree::{self, Depth, Edges, Prefix, TreeRequest, TreeStyle};
use wharf_ops::{Failure, Result};

use crate::cli::{self, PackageSelection, TreeArgs};
use crate::open::Opened;
use crate::session::Session;
use crate::settings::compile::{cli_features, packages, refuse_empty_target};
use crate::settings::usage;

const ALL_KINDS: [DepKind; 3] = [DepKind::Normal, DepKind::Development, DepKind::Build];

/// Shows the dependencies as a tree.
pub fn run(args: &TreeArgs, session: &Session) -> Result<()> {
    if args.old.version {
        return super::version::run(session);
    }
    let prefix = prefix(args, session);
    let repeat = args.no_dedupe || args.old.all;
    if args.old.all {
        session.shell.warn("--all of `tree` is now --no-dedupe, and may go away");
        session.shell.help("to see every member of the workspace, use --workspace");
    }
    let (targets, all_platforms) = targets(args, session)?;
    let edges = edges(args, session)?;
    let depth = match args.depth.as_deref() {
        None => Depth::Levels(usize::MAX),
        Some("workspace") => Depth::Workspace,
        Some(text) => Depth::Levels(
            text.parse::<u32>()
                .map_err(|_| usage(format!("--depth takes a number or `workspace`, not `{text}`")))?
                as usize,
        ),
    };
    let mut opened = Opened::new(session, &args.manifest, None)?;
    let selection = PackageSelection {
        package: args.package.clone(),
        workspace: args.workspace,
        exclude: args.exclude.clone(),
        all: false,
    };
    let (invert, selection) = invert(args, selection)?;
    let packages = packages(&selection, &opened, session)?;
    let (toolchain, kinds) = opened.toolchain(session, &targets)?;
    let request = TreeRequest {
        packages,
        features: cli_features(&args.features)?,
        kinds,
        all_platforms,
        edges,
        invert,
        prune: args.prune.clone(),
        duplicates: args.duplicates,
        style: TreeStyle {
            prefix,
            depth,
            repeat,
            format: args.format.clone(),
            unicode: match args.charset.as_deref() {
                Some(charset) => charset == "utf8",
                None => session.shell.unicode(),
            },
        },
    };
    let tree = tree::tree(&opened.workspace, &opened.sources, &toolchain, &opened.resolve, &request)?;
    for name in &tree.useless_excludes {
        session.shell.warn(format!(
            "excluded package(s) `{name}` not found in workspace `{}`",
            opened.workspace.root().display()
        ));
    }
    if tree.text.is_empty() {
        session.shell.warn("nothing to print: no dependency leads there on this platform");
        session.shell.help("look at all platforms with `--target all` first, then choose one");
    }
    session.shell.out_raw(tree.text.as_bytes());
    Ok(())
}

fn prefix(args: &TreeArgs, session: &Session) -> Prefix {
    if args.old.no_indent {
        session.shell.warn("the --no-indent flag has been changed to --prefix=none");
        return Prefix::None;
    }
    if args.old.prefix_depth {
        session.shell.warn("the --prefix-depth flag has been changed to --prefix=depth");
        return Prefix::Depth;
    }
    match args.prefix {
        cli::Prefix::None => Prefix::None,
        cli::Prefix::Indent => Prefix::Indent,
        cli::Prefix::Depth => Prefix::Depth,
    }
}

/// The platforms by name, and whether all of them are meant.
fn targets(args: &TreeArgs, session: &Session) -> Result<(Vec<String>, bool)> {
    if args.old.all_targets {
        session.shell.warn("the --all-targets flag has been changed to --target=all");
        return Ok((Vec::new(), true));
    }
    refuse_empty_target(&args.target)?;
    match &args.target[..] {
        [only] if only == "all" => Ok((Vec::new(), true)),
        named => Ok((named.to_vec(), false)),
    }
}

/// The packages to start from with `-i`. `-i -p x` is an old spelling of `-i x`.
fn invert(args: &TreeArgs, selection: PackageSelection) -> Result<(Vec<String>, PackageSelection)> {
    let mut invert: Vec<String> = args.invert.iter().filter(|spec| !spec.is_empty()).cloned().collect();
    if invert.len() < args.invert.len() {
        if args.package.is_empty() || args.workspace {
            return Err(Failure::new("the `-i` flag requires a package name").help(
                "it shows what depends on that package, within the tree of the current package: `--workspace` widens \
                 it to every member, `-p` narrows it to the tree of one",
            ));
        }
        invert.extend(args.package.iter().cloned());
    }
    Ok((invert, selection))
}

/// `-e`
fn edges(args: &TreeArgs, session: &Session) -> Result<Edges> {
    let mut words: Vec<&str> = args.edges.iter().map(String::as_str).collect();
    let had = words.len();
    words.retain(|word| *word != "no-proc-macro");
    let proc_macros = words.len() == had;
    if words.contains(&"public") {
        session.refuse_unstable("--edges public")?;
        words.retain(|word| *word != "public");
    }
    if args.old.no_dev_dependencies {
        session.shell.warn("the --no-dev-dependencies flag has changed to -e=no-dev");
        words.push("no-dev");
    }
    let features = words.iter().any(|word| ["features", "all"].contains(word));
    let kind = |word: &str| match word {
        "normal" => Some(DepKind::Normal),
        "build" => Some(DepKind::Build),
        "dev" => Some(DepKind::Development),
        _ => None,
    };
    let all = || BTreeSet::from(ALL_KINDS);
    let left_out: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("no-")).collect();
    let kinds = if !left_out.is_empty() {
        if let Some(word) = words.iter().find(|word| kind(word).is_some() || **word == "all") {
            return Err(Failure::new(format!(
                "`{word}` dependency kind cannot be mixed with \"no-normal\", \"no-build\", or \"no-dev\" dependency \
                 kinds"
            )));
        }
        let left_out: BTreeSet<DepKind> = left_out.into_iter().filter_map(kind).collect();
        all().difference(&left_out).copied().collect()
    } else if words.is_empty() || words.contains(&"all") || words == ["features"] {
        all()
    } else {
        words.iter().copied().filter_map(kind).collect()
    };
    Ok(Edges { kinds, features, proc_macros })
}
