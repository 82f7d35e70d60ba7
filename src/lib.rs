//! kofn runs a neural network across devices that crash, crawl, hang and lie, and answers anyway.
//!
//! Every layer's work is coded, so that any k of n devices are enough: the answer is decoded from
//! whatever has already arrived. This page is the architecture; the README shows the thing at work.
//!
//! # The path the data takes
//!
//! ```text
//!  topologies/lenet5.ron ─┐                                          fault-plans/one-dies.ron
//!      model.onnx ────────┤                                                     │
//!                         ▼                                                     ▼
//!   Topology × Model ──► Plan { stages: layer + code + holders + deadline }  FaultPlan
//!                         │ deploy shares                                       │
//!                         ▼                                                     ▼
//!      Client       ┌─ Supervisor ─┐  Task   ┌─ Device 0..n-1 ─┐              Chaos
//!    input x ─────► │ round r      │ ──────► │ its share       │                │ begins / ends
//!                   │ scatter      │ ◄────── │ one job a time  │                ▼
//!                   │ gather       │  Reply  └─────────────────┘             Weather ── drops, lags,
//!                   │ enough? ─────┼─ no ──► wait to the deadline, then ask      slows: between the
//!                   │ decode       │         again or say "unrecoverable"        nodes, never in them
//!                   │ local layers │ (pooling, normalisation, attention)
//!                   └──┬───────────┘
//!                      ▼ next stage … ► answer ► Client compares it with the whole model's
//!
//!   every step above ──► Event ──► trace ──► folds ──► text · JSON · verdict · the screen's board
//!
//!   keys ──► Session ── how far the run may go, and what goes wrong next ──► the run
//! ```
//!
//! A layer `y = W x` is split into k blocks of output rows, the **sources**. A **code** (n, k) mixes
//! their weights into n **shares**, one a device, before any request comes. Each device computes
//! its share times x. As mixing commutes with the product, the results of any k shares (for an MDS
//! code) mix back to the results of the sources; bias, residual connection and ReLU follow as the output
//! is put together (`model/passing.rs` finds them), and so do a concatenation and a pool over all the round's
//! maps (`model/onward.rs`). Nothing is decoded when the plain shares come first: their results are read
//! where they lie.
//!
//! Layers that are ready together, as queries, keys and values are, are one round: a share of it is a share
//! of each (`model/siblings.rs` finds them, [`plan::Layers`] is what they are to a plan). A step begins as
//! soon as its inputs are there, so other branches of a model are rounds beside each other
//! (`node/supervisor/progress.rs`).
//!
//! In real time the devices of one machine share its processors: who has nothing to do takes a part of what
//! another is at, rows or columns of the same product (`maths/crew.rs`), and changes no bit.
//!
//! Where reading weights is what takes the time, requests may share rounds, if the policy says so
//! (`node/supervisor/stations.rs`).
//!
//! A convolution is linear in its input too. If the topology says `split: Spatial`, the sources are strips
//! of its input, which the supervisor mixes for every request, and every device holds all its weights;
//! what they reply is decoded in the same way.
//! A stage may instead code the **inputs of a batch**: k requests are gathered (`node/supervisor/batches.rs`),
//! their inputs mixed into n, and a curve through the results is read off at the inputs
//! ([`code::Curve`]). That goes for any function, and gives approximate answers.
//!
//! # Floors
//!
//! Imports point down only; `tests/floors.rs` holds this table against the source.
//!
//! | floor | room | what is in it | must not know |
//! |---|---|---|---|
//! | 0 | [`units`] | moments, spans, sizes, speeds, ids; parsed and printed | everything |
//! | 1 | [`maths`] | mixing of blocks, the product, small dense `f64`, seeded chance | devices, time, files |
//! | 2 | [`code`] | one trait, one file a code | what its blocks mean |
//! | 2 | [`model`] | ONNX → linear layers, local segments, the whole model that is the truth | codes, devices |
//! | 2 | [`fault`] | one trait, one file a way to fail | nodes, drivers, files |
//! | 3 | [`event`] | everything that can be seen to happen | who emits or reads it |
//! | 4 | [`plan`] | topology file × model, fault-plan file, all checked | actors, who is alive |
//! | 5 | [`node`] | supervisor, device, client, chaos: plain structs | actix, clocks, async |
//! | 6 | [`drive`] | the one actor, the weather, virtual time (nodes called where they lie) and real | view |
//! | 6 | [`view`] | report, verdict, board, trace and plan as text and data | node, drive |
//! | 7 | [`session`] | a run that is steered: typed faults, branches, recording | screen |
//! | 7 | [`swarm`] | drawn fleets and misfortune, held to what must always be true | view |
//! | 7 | [`figures`] | the papers' figures, measured anew | view |
//! | 7 | [`advise`] | how to run a model on a fleet: offers, estimates, trials | files, screen |
//! | 8 | [`screen`] | panels, keys, the terminal | drive, node |
//! | 9 | [`cli`] | one short file a command | – |
//!
//! # Where to start reading
//!
//! [`code::Code`] (and `parity.rs`, the smallest that repairs anything), then [`node::Supervisor`], then
//! `drive/run.rs`, which carries out what nodes want. To add a code, see [`code`]; to add a fault
//! kind, see [`fault`].
//!
//! # Invariants
//!
//! 1. Below [`drive`] nobody reads a clock, draws entropy or waits, but for what another thread is making at
//!    that moment ([`maths::crew::Once`]). `clippy.toml` forbids it.
//! 2. Nothing iterates a hash map.
//! 3. [`node::Node::handle`] cannot fail. What goes wrong is an event.
//! 4. A step's effects are carried out, in order, before that node's next step.
//! 5. Faults exist only in the weather. A device does not know that it is slow.
//! 6. Events are the only way out. Viewers cannot ask.
//! 7. **A wrong answer is never given as a right one.** Too few arrivals, a share found wrong, or a set
//!    that would amplify rounding beyond the policy: wait, ask again, or say *unrecoverable*. How
//!    far lies are looked for is the policy's `verify`; what slips through is in the README.
//! 8. Every accepted request ends exactly once: answered, or failed with a reason.
//! 9. Exact codes agree with the whole model to rounding. With all plain shares in hand, the bits
//!    are those of the undivided layer through the same kernels, if its weights are coded (a share of
//!    few rows is not convolved in tiles, `model/tiling.rs`, and may be off in the last bits). Sharing a round
//!    changes no bit. An answer that is worth less says what it is worth ([`event::Worth`]).
//! 10. Serde appears only at the doors: topology, fault plan, event, report.
//! 11. On one machine the same build, files and seed give the same trace, byte for byte.
//! 12. What is typed into a run that goes on is what a plan could have said before: a session, a branch
//!     of it and the plan written of it are the same run, record for record.
//! 13. A draw of chance depends on the seed and on what it is for, never on how many came before: a
//!     run and its twin without faults differ by the faults alone.
//! 14. With `numerics: Skip` the same happens at the same moments, record for record, and nothing is said of
//!     answers: they are told as not computed, and what is expected of them is inconclusive. Lies are refused.

pub mod advise;
pub mod cli;
pub mod code;
pub mod drive;
pub mod event;
pub mod fault;
pub mod figures;
pub mod maths;
pub mod model;
pub mod node;
pub mod plan;
pub mod screen;
pub mod session;
pub mod swarm;
pub mod units;
pub mod view;
