//! The tester's own tests, through what users meet.

mod simulation;
