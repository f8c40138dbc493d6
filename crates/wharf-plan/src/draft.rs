//! Units while the graph is being made: interned, so that equal ones are one.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use wharf_core::profile::{Profile, ProfileUse};
use wharf_core::resolution::FeaturesFor;
use wharf_core::{FeatureName, Package, PackageId, Target};

use crate::request::{CompileKind, Request};
use crate::unit::{Mode, is_for_host};

/// The index of a draft in its [`Interner`].
pub(crate) type DraftId = usize;

/// A unit by value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Draft {
    pub id: PackageId,
    pub target: Arc<Target>,
    pub profile: Profile,
    pub kind: CompileKind,
    pub mode: Mode,
    pub features: Arc<[FeatureName]>,
    /// The drafts that it depends on, once they are final: two units that differ in nothing else are two all the
    /// same.
    pub dependencies: Option<Vec<DraftId>>,
}

impl Draft {
    /// Cargo's order of units: it is the order of `--extern` and of everything that is told in sequence.
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |draft: &Self| (draft.kind.clone(), draft.mode);
        self.id
            .cmp(&other.id)
            .then_with(|| self.target.kind.cmp(&other.target.kind))
            .then_with(|| self.target.name.cmp(&other.target.name))
            .then_with(|| self.profile.cmp(&other.profile))
            .then_with(|| key(self).cmp(&key(other)))
            .then_with(|| self.features.cmp(&other.features))
    }
}

/// All drafts, each once. Whether debug information is only a default does not tell two apart: the one that came
/// first stays, so a unit that was asked for keeps what its profile says.
#[derive(Default)]
pub(crate) struct Interner {
    drafts: Vec<Rc<Draft>>,
    index: HashMap<Draft, DraftId>,
}

impl Interner {
    /// The id of a draft, which is kept if it is new.
    pub fn intern(&mut self, draft: Draft) -> DraftId {
        let key = Self::key(&draft);
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        self.drafts.push(Rc::new(draft));
        self.index.insert(key, self.drafts.len() - 1);
        self.drafts.len() - 1
    }

    /// The id of a draft that was interned before.
    pub fn find(&self, draft: &Draft) -> Option<DraftId> {
        self.index.get(&Self::key(draft)).copied()
    }

    fn key(draft: &Draft) -> Draft {
        let mut key = draft.clone();
        key.profile.debuginfo_deferred = false;
        key
    }

    /// The draft with this id.
    pub fn get(&self, id: DraftId) -> &Rc<Draft> {
        &self.drafts[id]
    }
}

/// What a unit is needed for: decides profile overrides, features and panics of what it needs in turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Purpose {
    /// For the compiler's own platform: `build-override` holds.
    pub host: bool,
    /// Features are those of the host's view.
    pub host_features: bool,
    /// Panics unwind whatever the profile says.
    pub always_unwind: bool,
    /// The platform of the root that led here.
    pub root_kind: CompileKind,
}

impl Purpose {
    /// Code for the requested platform.
    pub fn normal(root_kind: CompileKind) -> Self {
        Self { host: false, host_features: false, always_unwind: false, root_kind }
    }

    /// Tests and benchmarks.
    pub fn test(root_kind: CompileKind) -> Self {
        Self { always_unwind: true, ..Self::normal(root_kind) }
    }

    /// Tests of a procedural macro.
    pub fn host_test(root_kind: CompileKind) -> Self {
        Self { host: true, host_features: true, ..Self::test(root_kind) }
    }

    /// A procedural macro that was asked for: for the host, but not an override.
    pub fn compiler(root_kind: CompileKind) -> Self {
        Self::test(root_kind)
    }

    /// Build scripts, procedural macros and what they need.
    pub fn host(host_features: bool, root_kind: CompileKind) -> Self {
        Self { host: true, host_features, always_unwind: true, root_kind }
    }

    /// What a dependency of `parent` is needed for.
    pub fn of_dependency(&self, parent: &Draft, target: &Target) -> Self {
        let for_host = is_for_host(target);
        Self {
            host: self.host || for_host,
            host_features: self.host_features || parent.target.is_custom_build() || target.is_proc_macro(),
            always_unwind: self.always_unwind || for_host,
            root_kind: self.root_kind.clone(),
        }
    }

    /// What the build script of a unit is needed for.
    pub fn of_script(&self) -> Self {
        Self { host: true, always_unwind: true, ..self.clone() }
    }

    /// Whose features hold.
    pub fn features_for(&self) -> FeaturesFor {
        if self.host_features { FeaturesFor::Host } else { FeaturesFor::Target }
    }
}

/// An edge between drafts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edge {
    pub to: DraftId,
    pub purpose: Purpose,
    pub extern_name: String,
    pub dep_name: Option<String>,
    pub public: bool,
}

impl Request<'_> {
    /// The package with this id; every package of a build was fetched before.
    pub(crate) fn package(&self, id: &PackageId) -> Option<&Arc<Package>> {
        self.packages.get(id)
    }

    /// The profile of a unit.
    pub(crate) fn profile_of(&self, id: &PackageId, purpose: &Purpose, kind: &CompileKind) -> Profile {
        let whom = ProfileUse {
            is_member: self.members.contains(id),
            is_local: id.source().is_path(),
            for_host: purpose.host,
            always_unwind: purpose.always_unwind,
            triple: self.toolchain.triple(kind),
        };
        self.profiles.profile_for(id, whom)
    }
}

/// The platform of a target that a unit of platform `kind` needs.
pub(crate) fn kind_for(kind: &CompileKind, target: &Target) -> CompileKind {
    if is_for_host(target) { CompileKind::Host } else { kind.clone() }
}
