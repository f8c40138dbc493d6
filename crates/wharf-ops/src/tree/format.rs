//! `--format`: how one package is shown.

use wharf_core::{Package, PackageId};

use super::graph::{Graph, Node, NodeIx};
use crate::failure::{Failure, Result};

/// A format, read.
pub(super) struct Pattern(Vec<Piece>);

enum Piece {
    Text(String),
    Package,
    License,
    Repository,
    Features,
    Library,
}

impl Pattern {
    /// Reads `{p} {l}` and the like; `{{` and `}}` stand for themselves.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let doubled = ["{{", "}}"].into_iter().find(|double| brace.starts_with(double));
            if let Some(double) = doubled {
                pieces.push(Piece::Text(double[1..].to_owned()));
                rest = &brace[2..];
                continue;
            }
            let Some(inside) = brace.strip_prefix('{') else {
                return Err(Failure::new("unexpected '}'"));
            };
            let end = inside.find(|c: char| !c.is_alphanumeric()).unwrap_or(inside.len());
            let (name, after) = inside.split_at(end);
            let Some(after) = after.strip_prefix('}') else {
                return Err(Failure::new("expected '}'"));
            };
            pieces.push(Piece::named(name)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// One node as text.
    pub(super) fn show(&self, graph: &Graph<'_>, node: NodeIx) -> String {
        match graph.node(node) {
            Node::Package { id, features, .. } => {
                let package = graph.package(id);
                self.0.iter().map(|piece| piece.show(id, package, features)).collect()
            }
            Node::Feature { of, name } => {
                let typed = if graph.is_from_command_line(node) { " (command-line)" } else { "" };
                format!("{} feature \"{name}\"{typed}", graph.id_of(*of).name())
            }
        }
    }
}

impl Piece {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "p" | "package" => Self::Package,
            "l" | "license" => Self::License,
            "r" | "repository" => Self::Repository,
            "f" | "features" => Self::Features,
            "lib" => Self::Library,
            other => {
                return Err(Failure::new(format!("unsupported pattern `{other}`"))
                    .help("use {p}, {l}, {r}, {f} or {lib}"));
            }
        })
    }

    fn show(&self, id: &PackageId, package: &Package, features: &[wharf_core::FeatureName]) -> String {
        let manifest = &package.manifest;
        match self {
            Self::Text(text) => text.clone(),
            Self::Package => {
                let kind = if manifest.is_proc_macro() { " (proc-macro)" } else { "" };
                let source = id.source().display_for_status().map(|source| format!(" ({source})"));
                format!("{} v{}{kind}{}", id.name(), id.version(), source.unwrap_or_default())
            }
            Self::License => manifest.description.license.clone().unwrap_or_default(),
            Self::Repository => manifest.description.repository.clone().unwrap_or_default(),
            Self::Features => features.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(","),
            Self::Library => manifest.library().map(|library| library.crate_name()).unwrap_or_default(),
        }
    }
}
