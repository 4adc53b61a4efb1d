//! The engine's suite on the memory store.

use super::create;

retell_conformance::engine_suite!(create);
