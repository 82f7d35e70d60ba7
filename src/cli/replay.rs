//! `kofn replay`: a trace that `kofn run --trace` wrote, on the screen or as text.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::screen::ScreenArgs;
use super::{BadInput, Exit, cast, say};
use crate::plan::Plan;
use crate::screen::config::Config;
use crate::session::Session;
use crate::units::{RequestId, Time};
use crate::view::replay::{self, Filter};
use crate::view::trace;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The trace, JSON lines
    trace: PathBuf,
    /// Show nothing before this moment, as in 150ms
    #[arg(long, value_name = "MOMENT")]
    from: Option<Time>,
    /// Show nothing after this moment
    #[arg(long, value_name = "MOMENT")]
    to: Option<Time>,
    /// Show only this request, and what happened to devices meanwhile
    #[arg(long, value_name = "N")]
    request: Option<usize>,
    /// The topology it is of: shows what was asked, and what classes are called
    #[arg(long)]
    topology: Option<PathBuf>,
    /// Write the screen, from --from to --to, as a recording for asciinema
    #[arg(long, value_name = "OUT", conflicts_with = "request")]
    cast: Option<PathBuf>,
    #[command(flatten)]
    screen: ScreenArgs,
}

pub(super) fn replay(args: &ReplayArgs) -> anyhow::Result<Exit> {
    let path = args.trace.display();
    let file = File::open(&args.trace)
        .map_err(|error| BadInput(format!("{path} cannot be read: {error}")))?;
    let (header, records) = trace::read(&mut BufReader::new(file))
        .map_err(|unreadable| BadInput(format!("{path}:{unreadable}")))?;
    let of = args.topology.as_ref().map(|path| Plan::read(path).map(Arc::new)).transpose()?;
    if let Some(out) = &args.cast {
        let session = Session::of_trace(header, records, of)?;
        let app = args.screen.app(session, args.from, Config::default())?;
        cast::write(out, app, args.to.unwrap_or(Time(u64::MAX)))?;
        say(&format!("written: asciinema play {}", out.display()));
        return Ok(Exit::AsExpected);
    }
    let filtered = args.from.is_some() || args.to.is_some() || args.request.is_some();
    if args.screen.wants_screen() && !filtered {
        return args.screen.show(Session::of_trace(header, records, of)?);
    }
    if let Some(why) = args.screen.needs_screen() {
        return Err(BadInput(why.to_owned()).into());
    }
    let filter = Filter {
        from: args.from.unwrap_or(Time::ZERO),
        to: args.to.unwrap_or(Time(u64::MAX)),
        request: args.request.map(RequestId),
    };
    say(&replay::replay(&header, &records, &filter));
    Ok(Exit::AsExpected)
}
