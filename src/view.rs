//! The looking: folds a trace into what people and programs read. Everything here is a pure function of
//! events and plans; nothing here knows nodes or drivers, and nothing here can ask them.

pub mod advice;
pub mod batches;
pub mod board;
pub mod check;
pub mod compare;
pub mod file;
pub mod github;
pub mod junit;
pub mod markdown;
pub mod perfetto;
pub mod plan_table;
pub mod playhead;
pub mod replay;
pub mod report;
pub mod splits;
pub mod swarm;
pub mod tape;
pub mod text;
pub mod trace;
pub mod verdict;
pub mod worth;
