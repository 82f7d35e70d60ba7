//! `kofn advise`: how to run a model on a fleet of which some devices may be lost, and what it comes to.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::file::write_whole;
use super::{BadInput, Exit, say, shown};
use crate::advise::{Advised, Aim, Impossible, Wish, advise as look};
use crate::plan::Draft;
use crate::units::{Bandwidth, Bytes, Flops, Span, Speed};

#[derive(Debug, Args)]
pub(super) struct AdviseArgs {
    /// A topology file, whose own coding is not used; or an ONNX file, `AlexNet` or `Vgg16`
    #[arg(value_name = "TOPOLOGY|MODEL")]
    target: String,
    /// How many of a stage's devices may be lost, whichever they are
    #[arg(long, value_name = "S", default_value_t = 1)]
    tolerate: usize,
    /// Find the cheapest choice whose p99 is at most this, as in 20ms
    #[arg(long, value_name = "T")]
    p99: Option<Span>,
    /// What is to be small where no p99 is asked for
    #[arg(long, value_enum, default_value = "mean")]
    aim: AimArg,
    /// Keep the layers off the supervisor
    #[arg(long)]
    no_local: bool,
    /// How many requests each way that is shown is run with
    #[arg(long, value_name = "N", default_value_t = 500)]
    requests: usize,
    /// The seed of all chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write what is proposed as a topology; with `-` to stdout, and nothing else
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    fleet: FleetArgs,
}

/// Devices that are all alike.
#[derive(Debug, Args)]
#[command(next_help_heading = "With a MODEL, devices that are all alike")]
struct FleetArgs {
    /// How many
    #[arg(long, value_name = "N")]
    devices: Option<usize>,
    /// Of each [default: 3GFLOP/s]
    #[arg(long, value_parser = written::<Speed>)]
    speed: Option<String>,
    /// [default: the devices']
    #[arg(long, value_name = "SPEED", value_parser = written::<Speed>)]
    supervisor_speed: Option<String>,
    /// The deviation of the logarithm of a job's time [default: 0.1]
    #[arg(long)]
    jitter: Option<f64>,
    /// The median one way, log-normal with a deviation of 0.5 [default: 0.3ms]
    #[arg(long, value_parser = written::<Span>)]
    latency: Option<String>,
    /// Of each link, each way [default: 94.1Mbit/s]
    #[arg(long, value_parser = written::<Bandwidth>)]
    bandwidth: Option<String>,
    /// Of each device [default: 1GB]
    #[arg(long, value_parser = written::<Bytes>)]
    memory: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AimArg {
    Mean,
    P99,
}

/// Text that can be read as a quantity, as it was written.
fn written<T: FromStr<Err = String>>(text: &str) -> Result<String, String> {
    text.parse::<T>().map(|_| text.to_owned())
}

pub(super) fn advise(args: &AdviseArgs) -> anyhow::Result<Exit> {
    if args.requests == 0 {
        return Err(BadInput("--requests 0 asks for nothing".to_owned()).into());
    }
    let draft = draft(args)?;
    let wish = Wish {
        tolerate: args.tolerate,
        aim: match args.aim {
            AimArg::Mean => Aim::Mean,
            AimArg::P99 => Aim::P99,
        },
        p99: args.p99,
        local: !args.no_local,
        requests: args.requests,
        seed: args.seed,
    };
    let advised = look(&draft, &wish).map_err(|error| match error.downcast::<Impossible>() {
        Ok(why) => BadInput(format!("{}: {why}", args.target)).into(),
        Err(error) => error,
    })?;
    let text = |to: &Path| draft.written(&advised.parts, &story(&advised), to);
    match &args.write {
        Some(to) if to == Path::new("-") => {
            say(text(Path::new("")).trim_end());
            return Ok(exit(&advised));
        }
        Some(to) => write_whole(to, |file| file.write_all(text(to).as_bytes()))?,
        None => {}
    }
    match args.json {
        true => say(&serde_json::to_string_pretty(&advised.advice)?),
        false => say(&advised.advice.to_text()),
    }
    if let Some(to) = args.write.as_ref().filter(|_| !args.json) {
        say(&format!("\nIt is written to {}.", shown(to)));
    }
    Ok(exit(&advised))
}

fn exit(advised: &Advised) -> Exit {
    match advised.advice.target.is_none_or(|target| target.met) {
        true => Exit::AsExpected,
        false => Exit::Failed,
    }
}

/// What stands in front of the topology.
fn story(advised: &Advised) -> Vec<String> {
    let advice = &advised.advice;
    let measured = &advice.ways[advice.proposed].measured;
    vec![
        format!(
            "{}, as kofn advises to run it so that any {} devices may be lost.",
            advice.model, advice.tolerate
        ),
        format!(
            "{} requests with seed {}: mean {:.2} ms, p50 {:.2}, p99 {:.2}.",
            advice.requests, advice.seed, measured.mean_ms, measured.p50_ms, measured.p99_ms
        ),
    ]
}

/// The topology that is named, or one made for the model that is.
fn draft(args: &AdviseArgs) -> anyhow::Result<Draft> {
    let path = Path::new(&args.target);
    let fleet = &args.fleet;
    if path.extension().is_some_and(|extension| extension == "ron") {
        let given = fleet.given();
        if !given.is_empty() {
            let message =
                format!("a topology says what its devices are; drop {}", given.join(", "));
            return Err(BadInput(message).into());
        }
        return Ok(Draft::read(path)?);
    }
    let model = match args.target.as_str() {
        "AlexNet" | "Vgg16" => format!("Synthetic({}, 1)", args.target),
        file if path.extension().is_some_and(|extension| extension == "onnx") => {
            if !path.is_file() {
                return Err(BadInput(format!("there is no file {file}")).into());
            }
            format!("Onnx({file:?})")
        }
        other => {
            let message =
                format!("{other} is no topology (.ron) and no model (.onnx, AlexNet, Vgg16)");
            return Err(BadInput(message).into());
        }
    };
    let Some(devices) = fleet.devices else {
        let message = "a model alone has no fleet; say --devices N, or name a topology";
        return Err(BadInput(message.to_owned()).into());
    };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let path = PathBuf::from(format!("{stem}-on-{devices}.ron"));
    let draft = Draft::parse(&path, fleet.topology(&model, devices, args.requests, FIRST))?;
    // A device must be given time to run the model whole.
    let work = draft.network().layers.iter().map(|layer| layer.op.work(layer.op.rows));
    let work = work.fold(Flops(0), |sum, work| sum + work);
    let slowest = draft.devices()[0].machine.speed.time_for(work);
    let enough = slowest * PATIENCE;
    if enough <= FIRST {
        return Ok(draft);
    }
    Ok(draft.reworded(fleet.topology(&model, devices, args.requests, enough))?)
}

/// A deadline that most models keep.
const FIRST: Span = Span(1_000_000_000);
const PATIENCE: f64 = 5.0;

impl FleetArgs {
    /// The options that were given, as they are typed.
    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("--devices", self.devices.is_some()),
            ("--speed", self.speed.is_some()),
            ("--supervisor-speed", self.supervisor_speed.is_some()),
            ("--jitter", self.jitter.is_some()),
            ("--latency", self.latency.is_some()),
            ("--bandwidth", self.bandwidth.is_some()),
            ("--memory", self.memory.is_some()),
        ];
        given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect()
    }

    fn topology(&self, model: &str, devices: usize, requests: usize, deadline: Span) -> String {
        let or = |given: &Option<String>, default: &str| {
            given.clone().unwrap_or_else(|| default.to_owned())
        };
        let speed = or(&self.speed, "3GFLOP/s");
        let supervisor = or(&self.supervisor_speed, &speed);
        let latency = or(&self.latency, "0.3ms");
        let bandwidth = or(&self.bandwidth, "94.1Mbit/s");
        let memory = or(&self.memory, "1GB");
        let jitter = self.jitter.unwrap_or(0.1);
        let deadline = deadline.as_millis().ceil();
        format!(
            r#"Topology(
    model: {model},
    supervisor: (speed: "{supervisor}", jitter: {jitter:?}),
    devices: [
        (
            name: "device",
            count: {devices},
            speed: "{speed}",
            memory: "{memory}",
            latency: LogNormal(median: "{latency}", sigma: 0.5),
            bandwidth: "{bandwidth}",
            jitter: {jitter:?},
        ),
    ],
    coding: (code: Uncoded(k: 1), on: ["device"]),
    inputs: Random(count: 16),
    requests: {requests},
    policy: (deadline: "{deadline}ms"),
)
"#
        )
    }
}
