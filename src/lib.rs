pub mod cli;
pub mod code;
pub mod drive;
pub mod event;
pub mod maths;
pub mod model;
pub mod node;
pub mod plan;
pub mod units;
pub mod view;

/// (placeholder)
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    work()
}
