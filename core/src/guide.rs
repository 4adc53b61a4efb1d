#![doc = include_str!("../docs/guide/index.md")]
// The guide is Markdown, so that it can be read where the source is; as modules it is linked, and its examples are run.

#[doc = include_str!("../docs/guide/workflows.md")]
pub mod workflows {}

#[doc = include_str!("../docs/guide/starting.md")]
pub mod starting {}

#[doc = include_str!("../docs/guide/activities.md")]
pub mod activities {}

#[doc = include_str!("../docs/guide/steps.md")]
pub mod steps {}

#[doc = include_str!("../docs/guide/transactions.md")]
pub mod transactions {}

#[doc = include_str!("../docs/guide/time.md")]
pub mod time {}

#[doc = include_str!("../docs/guide/signals.md")]
pub mod signals {}

#[doc = include_str!("../docs/guide/queries.md")]
pub mod queries {}

#[doc = include_str!("../docs/guide/updates.md")]
pub mod updates {}

#[doc = include_str!("../docs/guide/child_workflows.md")]
pub mod child_workflows {}

#[doc = include_str!("../docs/guide/external.md")]
pub mod external {}

#[doc = include_str!("../docs/guide/structure.md")]
pub mod structure {}

#[doc = include_str!("../docs/guide/cancellation.md")]
pub mod cancellation {}

#[doc = include_str!("../docs/guide/sagas.md")]
pub mod sagas {}

#[doc = include_str!("../docs/guide/continue_as_new.md")]
pub mod continue_as_new {}

#[doc = include_str!("../docs/guide/runs.md")]
pub mod runs {}

#[doc = include_str!("../docs/guide/search.md")]
pub mod search {}

#[doc = include_str!("../docs/guide/patches.md")]
pub mod patches {}

#[doc = include_str!("../docs/guide/around.md")]
pub mod around {}

#[doc = include_str!("../docs/guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/guide/payloads.md")]
pub mod payloads {}

#[doc = include_str!("../docs/guide/engine.md")]
pub mod engine {}

#[doc = include_str!("../docs/guide/stores.md")]
pub mod stores {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/from_temporal.md")]
pub mod from_temporal {}

#[doc = include_str!("../docs/guide/from_go_workflows.md")]
pub mod from_go_workflows {}

#[doc = include_str!("../docs/guide/from_dbos.md")]
pub mod from_dbos {}

#[doc = include_str!("../docs/guide/from_duroxide.md")]
pub mod from_duroxide {}
