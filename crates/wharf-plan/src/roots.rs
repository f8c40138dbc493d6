//! From packages and target flags to the units that were asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use wharf_core::features::FeatureValue;
use wharf_core::resolution::FeaturesFor;
use wharf_core::{CrateType, DepKind, Package, PackageId, Target, TargetKind};

use crate::draft::{Draft, DraftId, Interner, Purpose, kind_for};
use crate::error::{Notice, PlanError};
use crate::request::{CompileKind, Intent, LibRule, NamedTargets, Names, Request, Selection, TargetFilter};
use crate::unit::{Mode, is_for_host};

/// A target that may become a root.
struct Proposal<'a> {
    package: &'a Arc<Package>,
    target: &'a Target,
    needs_features: bool,
    mode: Mode,
}

type Kinds = fn(&Target) -> bool;

/// The roots, in Cargo's order, and what is worth telling.
pub(crate) fn roots(
    request: &Request<'_>,
    interner: &mut Interner,
    notices: &mut Vec<Notice>,
) -> Result<Vec<DraftId>, PlanError> {
    let packages = selected_packages(request)?;
    let proposals = match request.targets {
        TargetFilter::Default { skip_missing_features } => {
            default_proposals(request, &packages, *skip_missing_features)
        }
        TargetFilter::Only(named) => named_proposals(request, &packages, named, notices)?,
    };
    let mut features: HashMap<PackageId, HashSet<String>> = HashMap::new();
    let mut roots: Vec<DraftId> = Vec::new();
    for proposal in proposals {
        let Proposal { package, target, needs_features, mode } = proposal;
        check_required_features(request, package, target, notices)?;
        let on = features
            .entry(package.id().clone())
            .or_insert_with(|| all_features(request, package.id(), request.dev_units, request.kinds));
        let missing = target.required_features.iter().any(|feature| !on.contains(feature));
        if target.is_lib() || !missing {
            roots.extend(drafts_of(request, interner, package, target, mode));
        } else if needs_features {
            return Err(PlanError::RequiredFeatures {
                target: target.name.clone(),
                package: package.name().to_string(),
                features: target.required_features.clone(),
            });
        }
    }
    if roots.is_empty() {
        notices.extend(nothing_matched(request));
    }
    let roots = override_crate_types(request, interner, roots)?;
    let unique: BTreeSet<DraftId> = roots.into_iter().collect();
    let mut roots: Vec<DraftId> = unique.into_iter().collect();
    roots.sort_by(|a, b| interner.get(*a).order(interner.get(*b)));
    Ok(roots)
}

fn selected_packages<'a>(request: &Request<'a>) -> Result<Vec<&'a Arc<Package>>, PlanError> {
    let mut packages = Vec::new();
    for id in request.selected {
        let package = request.packages.get(id).ok_or_else(|| PlanError::NotFetched(id.clone()))?;
        let has_dev = |package: &Package| {
            package.manifest.summary.dependencies.iter().any(|dependency| !dependency.is_transitive())
        };
        if request.intent.is_test() && !request.members.contains(id) && has_dev(package) {
            return Err(PlanError::CannotTest { package: package.name().to_string() });
        }
        packages.push(package);
    }
    packages.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(packages)
}

/// What a target is done with when nothing more specific holds.
fn mode_of(intent: Intent) -> Mode {
    match intent {
        Intent::Test | Intent::Bench => Mode::Test,
        Intent::Build => Mode::Build,
        Intent::Check { test } => Mode::Check { test },
        Intent::Doc { .. } => Mode::Doc,
        Intent::Doctest => Mode::Doctest,
    }
}

fn is_default(intent: Intent, target: &Target, all: &[Target]) -> bool {
    match intent {
        Intent::Bench => target.benched,
        Intent::Test => target.tested || target.is_example(),
        Intent::Build | Intent::Check { .. } => target.is_bin() || target.is_lib(),
        // A program that is named like the library would write to the same directory.
        Intent::Doc { .. } => {
            let shadowed = target.is_bin()
                && all.iter().any(|lib| lib.is_lib() && lib.crate_name() == target.crate_name());
            target.documented && !shadowed
        }
        Intent::Doctest => target.is_lib(),
    }
}

/// Whether rustdoc can test the examples of a library.
fn is_doctestable(target: &Target) -> bool {
    let fits = |kind: &CrateType| matches!(kind, CrateType::Lib | CrateType::Rlib | CrateType::ProcMacro);
    matches!(&target.kind, TargetKind::Lib(types) if types.iter().any(fits))
}

fn default_proposals<'a>(
    request: &Request<'a>,
    packages: &[&'a Arc<Package>],
    skip_missing_features: bool,
) -> Vec<Proposal<'a>> {
    let mut proposals = Vec::new();
    for package in packages {
        let targets = &package.manifest.targets;
        for target in targets.iter().filter(|target| is_default(request.intent, target, targets)) {
            let mode = mode_of(request.intent);
            proposals.push(Proposal { package, target, needs_features: !skip_missing_features, mode });
        }
        let doctested = targets.iter().find(|target| target.doctest && is_doctestable(target));
        if let (Intent::Test, Some(target)) = (request.intent, doctested) {
            proposals.push(Proposal { package, target, needs_features: false, mode: Mode::Doctest });
        }
    }
    proposals
}

fn named_proposals<'a>(
    request: &Request<'a>,
    packages: &[&'a Arc<Package>],
    named: &NamedTargets,
    notices: &mut Vec<Notice>,
) -> Result<Vec<Proposal<'a>>, PlanError> {
    let mut proposals = Vec::new();
    let mode = mode_of(request.intent);
    if named.lib != LibRule::No {
        let mut libraries = Vec::new();
        for proposal in every(packages, Target::is_lib, mode) {
            if request.intent == Intent::Doctest && !is_doctestable(proposal.target) {
                notices.push(Notice::NoDoctests {
                    package: proposal.package.name().to_string(),
                    crate_types: proposal.target.crate_types(),
                });
            } else {
                libraries.push(proposal);
            }
        }
        if !named.all && libraries.is_empty() && named.lib == LibRule::Wanted {
            let packages = packages.iter().map(|package| package.name().to_string()).collect();
            return Err(PlanError::NoLibrary { packages });
        }
        proposals.extend(libraries);
    }
    let test_mode = match request.intent {
        Intent::Build => Mode::Test,
        Intent::Check { .. } => Mode::Check { test: true },
        _ => mode,
    };
    let tested: Kinds = if named.tests == Names::All { |target| target.tested } else { Target::is_test };
    let benched: Kinds = if named.benches == Names::All { |target| target.benched } else { Target::is_bench };
    let rules: [(&Names, &'static str, Kinds, Mode); 4] = [
        (&named.bins, "bin", Target::is_bin, mode),
        (&named.examples, "example", Target::is_example, mode),
        (&named.tests, "test", tested, test_mode),
        (&named.benches, "bench", benched, test_mode),
    ];
    for (names, what, fits, mode) in rules {
        match names {
            Names::All => proposals.extend(every(packages, fits, mode)),
            Names::Just(names) => {
                for name in names {
                    proposals.extend(find_named(request, packages, name, (what, fits, mode))?);
                }
            }
        }
    }
    Ok(proposals)
}

fn every<'a>(packages: &[&'a Arc<Package>], fits: Kinds, mode: Mode) -> Vec<Proposal<'a>> {
    let mut proposals = Vec::new();
    for package in packages {
        for target in package.manifest.targets.iter().filter(|target| fits(target)) {
            proposals.push(Proposal { package, target, needs_features: false, mode });
        }
    }
    proposals
}

fn find_named<'a>(
    request: &Request<'a>,
    packages: &[&'a Arc<Package>],
    name: &str,
    (what, fits, mode): (&'static str, Kinds, Mode),
) -> Result<Vec<Proposal<'a>>, PlanError> {
    let is_pattern = name.contains(['*', '?', '[', ']']);
    let pattern = glob::Pattern::new(name)
        .map_err(|cause| PlanError::Pattern { pattern: name.to_owned(), reason: cause.msg.to_owned() })?;
    let named = |target: &Target| match is_pattern {
        true => pattern.matches(&target.name),
        false => target.name == name,
    };
    let mut found = every(packages, fits, mode);
    found.retain(|proposal| named(proposal.target));
    if !found.is_empty() {
        for proposal in &mut found {
            proposal.needs_features = true;
        }
        return Ok(found);
    }
    let names = |packages: &mut dyn Iterator<Item = &Arc<Package>>, named: &dyn Fn(&Target) -> bool| {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for package in packages {
            for target in package.manifest.targets.iter().filter(|target| fits(target) && named(target)) {
                names.entry(target.name.clone()).or_default().push(package.name().to_string());
            }
        }
        names
    };
    let available = names(&mut packages.iter().copied(), &|_| true);
    let elsewhere = names(&mut request.members.iter().filter_map(|id| request.packages.get(id)), &named);
    let selection = match request.selection {
        Selection::Default => " in the packages that are worked on by default".to_owned(),
        Selection::Named(typed) => match typed.as_slice() {
            [] => String::new(),
            [one] => format!(" in `{one}` package"),
            [first, ..] => format!(" in `{first}`, ... packages"),
        },
    };
    Err(PlanError::NoTarget { what, name: name.to_owned(), is_pattern, selection, available, elsewhere })
}

fn nothing_matched(request: &Request<'_>) -> Option<Notice> {
    let TargetFilter::Only(named) = request.targets else { return None };
    if named.all {
        return Some(Notice::NothingMatched { filters: vec!["all-targets"] });
    }
    let rules = [
        (&named.bins, "bins"),
        (&named.tests, "tests"),
        (&named.examples, "examples"),
        (&named.benches, "benches"),
    ];
    let filters: Vec<_> =
        rules.into_iter().filter(|(names, _)| **names == Names::All).map(|(_, word)| word).collect();
    Some(Notice::NothingMatched { filters })
}

fn drafts_of(
    request: &Request<'_>,
    interner: &mut Interner,
    package: &Arc<Package>,
    target: &Target,
    wanted: Mode,
) -> Vec<DraftId> {
    // Examples take part in `test` so that they keep compiling; only asked for, or marked, are they tests.
    let is_by_the_way = target.is_example() && !request.targets.is_specific() && !target.tested;
    let mode = if wanted == Mode::Test && is_by_the_way { Mode::Build } else { wanted };
    let whom = if target.is_proc_macro() { FeaturesFor::Host } else { FeaturesFor::Target };
    let features = request.features.of(package.id(), whom).into();
    let target = Arc::new(target.clone());
    let make = |kind: &CompileKind| {
        let kind = explicit(request, kind);
        let purpose = if wanted.is_any_test() {
            Purpose::test(kind.clone())
        } else if is_for_host(&target) {
            Purpose::compiler(kind.clone())
        } else {
            Purpose::normal(kind.clone())
        };
        Draft {
            id: package.id().clone(),
            profile: request.profile_of(package.id(), &purpose, &kind),
            kind: kind_for(&kind, &target),
            target: Arc::clone(&target),
            mode,
            features: Arc::clone(&features),
            dependencies: None,
        }
    };
    request.kinds.iter().map(|kind| interner.intern(make(kind))).collect()
}

/// While the graph is made, what was asked for without `--target` goes by the host's triple: so the two sides stay
/// apart until it is known which units are equal on both.
pub(crate) fn explicit(request: &Request<'_>, kind: &CompileKind) -> CompileKind {
    match kind {
        CompileKind::Host => CompileKind::Target(crate::CompileTarget::new(&request.toolchain.host)),
        CompileKind::Target(target) => CompileKind::Target(target.clone()),
    }
}

/// The features of a package and of its direct dependencies (`dep/feature`) that are on: what
/// `required-features` is held against.
pub(crate) fn all_features(
    request: &Request<'_>,
    id: &PackageId,
    dev_units: bool,
    kinds: &[CompileKind],
) -> HashSet<String> {
    let mut on: HashSet<String> =
        request.features.of(id, FeaturesFor::Target).iter().map(|feature| feature.to_string()).collect();
    for edge in request.resolution.edges(id) {
        let to = request.resolution.replacements.get(&edge.to).unwrap_or(&edge.to);
        let is_proc_macro = request.packages.get(to).is_some_and(|package| package.manifest.is_proc_macro());
        for dependency in &edge.dependencies {
            let is_here = |kind: &CompileKind| platform_fits(request, dependency, kind);
            let is_active = (dev_units || dependency.kind() != DepKind::Development)
                && (kinds.iter().any(is_here) || is_here(&CompileKind::Host));
            if !is_active {
                continue;
            }
            let for_host = is_proc_macro || dependency.kind() == DepKind::Build;
            let whom = if for_host { FeaturesFor::Host } else { FeaturesFor::Target };
            for feature in request.features.of(to, whom) {
                on.insert(format!("{}/{feature}", dependency.name_in_toml()));
            }
        }
    }
    on
}

/// Whether a dependency is for a platform.
pub(crate) fn platform_fits(
    request: &Request<'_>,
    dependency: &wharf_core::Dependency,
    kind: &CompileKind,
) -> bool {
    let Some(platform) = dependency.platform() else { return true };
    platform.matches(request.toolchain.triple(kind), &request.toolchain.info(kind).cfgs)
}

fn check_required_features(
    request: &Request<'_>,
    package: &Package,
    target: &Target,
    notices: &mut Vec<Notice>,
) -> Result<(), PlanError> {
    let summary = &package.manifest.summary;
    for feature in &target.required_features {
        let wrong = |reason: String| Notice::RequiredFeature {
            feature: feature.clone(),
            target: target.name.clone(),
            reason,
        };
        let refuse = |rule: &'static str| {
            Err(PlanError::RequiredFeatureForm {
                feature: feature.clone(),
                target: target.name.clone(),
                rule,
            })
        };
        match FeatureValue::parse(feature) {
            FeatureValue::Feature(name) if !summary.features.contains_key(&name) => {
                notices.push(wrong(format!("`{feature}` is not present in [features] section")));
            }
            FeatureValue::Feature(_) => {}
            FeatureValue::Dep { .. } => {
                return refuse("`dep:` prefixed feature values are not allowed in required-features");
            }
            FeatureValue::DepFeature { weak: true, .. } => {
                return refuse("optional dependency with `?` is not allowed in required-features");
            }
            FeatureValue::DepFeature { dep, feature: wanted, weak: false } => {
                let named = |edge: &&wharf_core::resolution::ResolvedEdge| {
                    edge.dependencies.iter().any(|it| **it.name_in_toml() == *dep)
                };
                match request.resolution.edges(package.id()).iter().find(named) {
                    None => notices.push(wrong(format!("dependency `{dep}` does not exist"))),
                    Some(edge) => {
                        let known = request.resolution.get(&edge.to).is_none_or(|resolved| {
                            resolved.summary.features.contains_key(&wanted)
                                || resolved
                                    .summary
                                    .dependencies
                                    .iter()
                                    .any(|it| it.is_optional() && **it.name_in_toml() == *wanted)
                        });
                        if !known {
                            notices.push(wrong(format!(
                                "feature `{wanted}` does not exist in package `{}`",
                                edge.to
                            )));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn override_crate_types(
    request: &Request<'_>,
    interner: &mut Interner,
    roots: Vec<DraftId>,
) -> Result<Vec<DraftId>, PlanError> {
    let wanted = &request.settings.root_crate_types;
    if wanted.is_empty() {
        return Ok(roots);
    }
    let [root] = roots.as_slice() else { return Err(PlanError::CrateTypesForMany) };
    let draft = interner.get(*root);
    let kind = match draft.target.kind {
        TargetKind::Lib(_) => TargetKind::Lib(wanted.clone()),
        TargetKind::ExampleLib(_) => TargetKind::ExampleLib(wanted.clone()),
        _ => return Err(PlanError::CrateTypesForProgram),
    };
    let target = Arc::new(Target { kind, ..(*draft.target).clone() });
    let draft = Draft { target, ..(**draft).clone() };
    Ok(vec![interner.intern(draft)])
}
