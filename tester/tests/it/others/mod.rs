//! Children and other runs, on the whole engine, with replay behind each run.

mod children;
mod fakes;
mod orders;
