//! The units of a build and their edges as JSON, for tools (`--unit-graph`, unstable in Cargo, version 1 of its
//! format).

use serde::Serialize;
use serde_json::{Value, json};
use wharf_core::PackageIdSpec;
use wharf_core::metadata::TargetJson;
use wharf_core::profile::{DebugInfo, Lto, Profile, Strip, StripLevel};
use wharf_plan::{CompileKind, Plan, Unit, UnitDependency};

#[derive(Serialize)]
struct GraphJson<'a> {
    version: u32,
    units: Vec<UnitJson<'a>>,
    roots: Vec<usize>,
}

#[derive(Serialize)]
struct UnitJson<'a> {
    pkg_id: PackageIdSpec,
    target: TargetJson<'a>,
    profile: Value,
    platform: Option<&'a str>,
    mode: &'static str,
    features: Vec<String>,
    dependencies: Vec<EdgeJson<'a>>,
}

#[derive(Serialize)]
struct EdgeJson<'a> {
    index: usize,
    extern_crate_name: &'a str,
    public: bool,
    noprelude: bool,
}

/// One line of JSON about everything in a plan.
pub fn unit_graph(plan: &Plan) -> String {
    let graph = GraphJson {
        version: 1,
        units: plan.units.iter().map(unit_json).collect(),
        roots: plan.roots.iter().map(|root| root.0).collect(),
    };
    serde_json::to_string(&graph).expect("a plan holds nothing that JSON cannot say but non-UTF-8 paths")
}

fn unit_json(unit: &Unit) -> UnitJson<'_> {
    UnitJson {
        pkg_id: unit.id().to_spec(),
        target: TargetJson::new(&unit.target),
        profile: profile_json(&unit.profile),
        platform: match &unit.kind {
            CompileKind::Host => None,
            CompileKind::Target(target) => Some(target.as_str()),
        },
        mode: unit.mode.name(),
        features: unit.features.iter().map(ToString::to_string).collect(),
        dependencies: unit.dependencies.iter().map(edge_json).collect(),
    }
}

fn edge_json(edge: &UnitDependency) -> EdgeJson<'_> {
    EdgeJson {
        index: edge.unit.0,
        extern_crate_name: &edge.extern_name,
        public: edge.public,
        noprelude: false,
    }
}

fn profile_json(profile: &Profile) -> Value {
    let lto = match &profile.lto {
        Lto::Off => "off",
        Lto::ThinLocal => "false",
        Lto::Fat => "true",
        Lto::Named(name) => name,
    };
    let debuginfo = match profile.debuginfo {
        DebugInfo::None => json!(0),
        DebugInfo::Limited => json!(1),
        DebugInfo::Full => json!(2),
        DebugInfo::LineDirectivesOnly => json!("line-directives-only"),
        DebugInfo::LineTablesOnly => json!("line-tables-only"),
    };
    let level = |level: &StripLevel| match level {
        StripLevel::None => json!("none"),
        StripLevel::Named(name) => json!({ "named": name }),
    };
    let strip = match &profile.strip {
        Strip::Deferred(it) => json!({ "deferred": level(it) }),
        Strip::Stated(it) => json!({ "resolved": level(it) }),
    };
    let mut value = json!({
        "name": profile.name,
        "opt_level": profile.opt_level,
        "lto": lto,
        "codegen_backend": profile.codegen_backend,
        "codegen_units": profile.codegen_units,
        "debuginfo": debuginfo,
        "split_debuginfo": profile.split_debuginfo,
        "debug_assertions": profile.debug_assertions,
        "overflow_checks": profile.overflow_checks,
        "rpath": profile.rpath,
        "incremental": profile.incremental,
        "panic": profile.panic.to_string(),
        "strip": strip,
    });
    if !profile.rustflags.is_empty() {
        value["rustflags"] = json!(profile.rustflags);
    }
    value
}
