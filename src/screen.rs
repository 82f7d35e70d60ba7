//! The screen: a fleet to look at and to break.
//!
//! ```text
//!   key ──► App ──► Session (a run that is steered) ──► records ──► Playhead ──► Board
//!                                                                                  │
//!                                          Scene = Board + what the user points at ◄┘
//!                                            │
//!                                            ▼   one file a panel, pure
//!                                          Fleet · Round · Timeline · Latency · Answers · Margin · Events
//! ```
//!
//! Nothing here needs a terminal but `terminal.rs`.

pub mod app;
pub mod cast;
pub mod config;
pub mod keys;
pub mod layout;
pub mod look;
pub mod panel;
pub mod prompt;
pub mod scene;
pub mod terminal;
