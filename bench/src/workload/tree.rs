//! Workflows that start others: the tree of go-workflows' own benchmark, under its options.

use retell::prelude::*;
use retell::workflow::try_all;
use serde::{Deserialize, Serialize};

use super::awaited::{at_once, finished};
use crate::Failure;
use crate::measure::{Sample, measured};
use crate::scene::Scene;

/// The shape of a tree: a root, inner nodes below it, leaves below the lowest of them, and what leaves do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tree {
    /// How deep the inner nodes go.
    pub(crate) depth: u32,
    /// Children of the root and of inner nodes.
    pub(crate) fanout: u32,
    /// Leaves of a lowest inner node.
    pub(crate) leaffanout: u32,
    /// Activities of a leaf, all at once.
    pub(crate) activities: u32,
    /// Bytes of an activity's result.
    pub(crate) resultsize: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Self { depth: 2, fanout: 2, leaffanout: 2, activities: 2, resultsize: 100 }
    }
}

impl Tree {
    /// How many activities there are below one root.
    pub(super) fn operations(self) -> u64 {
        let middles = u64::from(self.fanout).pow(self.depth);
        middles * u64::from(self.leaffanout) * u64::from(self.activities)
    }
}

pub(super) async fn run(scene: &Scene, roots: u32) -> Result<Sample, Failure> {
    let tree = scene.sizes.tree;
    let work = at_once(roots, || finished(scene.engine(), root, tree));
    measured(scene, async { Ok((u64::from(roots) * tree.operations(), work.await?)) }).await
}

/// The root.
#[retell::workflow]
pub(super) async fn root(cx: WorkflowContext, tree: Tree) -> WorkflowResult<()> {
    let below = (0..tree.fanout).map(|_| cx.child(mid, &(tree, tree.depth.saturating_sub(1))));
    try_all(below).await?;
    Ok(())
}

/// An inner node, so far above the lowest.
#[retell::workflow]
pub(super) async fn mid(cx: WorkflowContext, (tree, height): (Tree, u32)) -> WorkflowResult<()> {
    if height > 0 {
        try_all((0..tree.fanout).map(|_| cx.child(mid, &(tree, height - 1)))).await?;
    } else {
        try_all((0..tree.leaffanout).map(|_| cx.child(leaf, &tree))).await?;
    }
    Ok(())
}

/// A leaf.
#[retell::workflow]
pub(super) async fn leaf(cx: WorkflowContext, tree: Tree) -> WorkflowResult<()> {
    try_all((0..tree.activities).map(|_| cx.activity(fill, &tree.resultsize))).await?;
    Ok(())
}

/// Gives a text of so many bytes.
#[retell::activity]
pub(super) async fn fill(_cx: ActivityContext, bytes: u32) -> Result<String, ActivityError> {
    Ok("x".repeat(bytes as usize))
}
