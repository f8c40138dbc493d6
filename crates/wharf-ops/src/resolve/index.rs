//! Lets the resolver see sources: path packages as the workspace reads them, everything else through
//! [`Sources`].

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use wharf_core::summary::SharedSummary;
use wharf_core::{PackageId, PackageName, SourceId, Version};
use wharf_resolve::{Index, IndexError};
use wharf_sources::{Freshness, Sources};

use super::lock::local_package;
use super::path_overrides::PathOverrides;
use crate::workspace::Workspace;

type Answers = HashMap<(SourceId, PackageName), Arc<[SharedSummary]>>;

/// The index of one resolution. Answers are kept, so they do not change under the resolver's hands.
pub(super) struct WorkspaceIndex<'a> {
    workspace: &'a Workspace,
    sources: &'a Sources,
    overrides: Option<&'a PathOverrides>,
    answers: RefCell<Answers>,
    /// Whether the archive of a version is on disk.
    at_hand: RefCell<HashMap<PackageId, bool>>,
}

impl<'a> WorkspaceIndex<'a> {
    pub(super) fn new(workspace: &'a Workspace, sources: &'a Sources) -> Self {
        Self { workspace, sources, overrides: None, answers: RefCell::default(), at_hand: RefCell::default() }
    }

    /// The same, with packages that have the dependencies of others.
    pub(super) fn with_overrides(
        workspace: &'a Workspace,
        sources: &'a Sources,
        overrides: &'a PathOverrides,
    ) -> Self {
        Self { overrides: Some(overrides), ..Self::new(workspace, sources) }
    }

    fn seen(&self, summary: &SharedSummary) -> SharedSummary {
        self.overrides.map_or_else(|| summary.clone(), |overrides| overrides.seen(summary))
    }

    fn local(&self, source: &SourceId, name: &PackageName) -> Result<Arc<[SharedSummary]>, IndexError> {
        let package = local_package(self.workspace, source).map_err(boxed)?;
        let fits = package.name() == name;
        Ok(if fits { Arc::from([package.manifest.summary.clone()]) } else { Arc::from([]) })
    }
}

fn boxed(failure: crate::failure::Failure) -> IndexError {
    IndexError(failure.into_error())
}

impl Index for WorkspaceIndex<'_> {
    fn summaries(&self, source: &SourceId, name: &PackageName) -> Result<Arc<[SharedSummary]>, IndexError> {
        let key = (source.clone(), name.clone());
        if let Some(answer) = self.answers.borrow().get(&key) {
            return Ok(answer.clone());
        }
        let answer = if source.is_path() {
            self.local(source, name)?
        } else {
            // A pinned git source is what it is; everything else is asked as it stands now.
            let freshness =
                if source.git_object().is_some() { Freshness::Cached } else { Freshness::Current };
            let found = self.sources.summaries(source, name, freshness);
            found.map_err(|error| IndexError(Box::new(error)))?
        };
        let answer: Arc<[SharedSummary]> = match self.overrides {
            Some(_) => answer.iter().map(|summary| self.seen(summary)).collect(),
            None => answer,
        };
        self.answers.borrow_mut().insert(key, answer.clone());
        Ok(answer)
    }

    fn matching(
        &self,
        source: &SourceId,
        name: &PackageName,
        takes: &dyn Fn(&Version) -> bool,
    ) -> Result<Vec<SharedSummary>, IndexError> {
        let is_registry = source.is_registry() && self.overrides.is_none();
        if !is_registry || self.answers.borrow().contains_key(&(source.clone(), name.clone())) {
            let all = self.summaries(source, name)?;
            return Ok(all.iter().filter(|summary| takes(summary.id.version())).cloned().collect());
        }
        let found = self.sources.matching(source, name, Freshness::Current, takes);
        found.map_err(|error| IndexError(Box::new(error)))
    }

    fn is_at_hand(&self, package: &PackageId) -> bool {
        if !self.sources.is_offline() || package.source().is_path() {
            return true;
        }
        let mut known = self.at_hand.borrow_mut();
        *known.entry(package.clone()).or_insert_with(|| self.sources.is_downloaded(package))
    }

    fn exact(
        &self,
        source: &SourceId,
        name: &PackageName,
        version: &Version,
    ) -> Result<Option<SharedSummary>, IndexError> {
        let known = self.answers.borrow().get(&(source.clone(), name.clone())).cloned();
        if source.is_path() || known.is_some() {
            let all = self.summaries(source, name)?;
            return Ok(all.iter().find(|summary| summary.id.version() == version).cloned());
        }
        for freshness in [Freshness::Cached, Freshness::Current] {
            let found = self
                .sources
                .matching(source, name, freshness, &|candidate| candidate == version)
                .map_err(|error| IndexError(Box::new(error)))?;
            if let Some(summary) = found.into_iter().next() {
                return Ok(Some(self.seen(&summary)));
            }
        }
        Ok(None)
    }

    fn prefetch(&self, wanted: &[(SourceId, PackageName)]) {
        let remote: Vec<_> =
            wanted.iter().filter(|(source, _)| source.is_remote_registry()).cloned().collect();
        if !remote.is_empty() {
            self.sources.prefetch(&remote);
        }
    }

    fn similar_names(&self, source: &SourceId, name: &PackageName) -> Vec<PackageName> {
        self.sources.similar_names(source, name)
    }

    fn gathers(&self) -> bool {
        true
    }
}
