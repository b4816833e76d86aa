//! How fast the engine is: each figure beside its limit, measured in the same run. Run it with
//! `cargo xtask bench [--kafka|--telemetry] [--quick] [--only W2] [--json]`.

mod child;
mod domain;
mod figure;
mod host;
mod limit;
mod load;
mod report;
#[cfg(feature = "servers")]
mod servers;
mod setting;
#[cfg(feature = "telemetry")]
mod telemetry;
mod workload;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{figure::Figure, setting::Setting};

/// What a service of this kind would choose: a sixth of the time of a saga goes to small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the engine beside its limits.
#[derive(Parser)]
#[command(name = "bench")]
struct Args {
    /// Shorter runs and smaller logs: to see that it works, not to publish.
    #[arg(long)]
    quick: bool,
    /// The workloads on Kafka and PostgreSQL, whose addresses are in the environment.
    #[cfg(feature = "servers")]
    #[arg(long)]
    kafka: bool,
    /// What it costs to be observed.
    #[cfg(feature = "telemetry")]
    #[arg(long)]
    telemetry: bool,
    /// So many producers of commits in each process, bare ones too; otherwise as many as the engine has by itself.
    #[cfg(feature = "servers")]
    #[arg(long, requires = "kafka")]
    producers: Option<usize>,
    /// Only this workload (W1 to W9; on Kafka W1, W2, W4, W10 to W12); may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// One JSON object on the last line of standard output.
    #[arg(long)]
    json: bool,
    /// How often each figure is measured.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Acts as the process that is killed or started: used by the benchmark itself.
    #[arg(long, hide = true, num_args = 2, value_names = ["WHAT", "DIR"])]
    child: Vec<String>,
    /// Acts as one of several processes: used by the benchmark itself.
    #[cfg(feature = "servers")]
    #[arg(long, hide = true, num_args = 2, value_names = ["PLACE", "NUMBER"])]
    member: Vec<String>,
    /// Acts as the process whose instructions are counted: used by the benchmark itself.
    #[cfg(feature = "telemetry")]
    #[arg(long, hide = true, num_args = 3, value_names = ["WORK", "SEEN", "UNITS"])]
    counted: Vec<String>,
}

impl Args {
    /// How long and how large.
    fn setting(&self) -> Setting {
        let setting = Setting::new(self.quick, self.repeat);
        #[cfg(feature = "servers")]
        let setting = Setting { producers: self.producers, ..setting };
        setting
    }

    /// The workloads there are.
    fn names(&self) -> &'static [&'static str] {
        #[cfg(feature = "servers")]
        if self.kafka {
            return &servers::NAMES;
        }
        #[cfg(feature = "telemetry")]
        if self.telemetry {
            return &telemetry::NAMES;
        }
        &workload::NAMES
    }

    /// What one of them does, in a line.
    fn about(&self, name: &str) -> &'static str {
        #[cfg(feature = "servers")]
        if self.kafka {
            return servers::about(name);
        }
        #[cfg(feature = "telemetry")]
        if self.telemetry {
            return telemetry::about(name);
        }
        workload::about(name)
    }

    /// Measures one.
    async fn run(&self, name: &str, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
        #[cfg(feature = "servers")]
        if self.kafka {
            return servers::run(name, setting).await;
        }
        #[cfg(feature = "telemetry")]
        if self.telemetry {
            return telemetry::run(name, setting).await;
        }
        workload::run(name, setting).await
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match act(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            report::say(&format!("bench: {e:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn act(args: &Args) -> anyhow::Result<()> {
    #[cfg(feature = "servers")]
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    #[cfg(feature = "servers")]
    if let [place, number] = args.member.as_slice() {
        return servers::serve(place, number).await;
    }
    #[cfg(feature = "telemetry")]
    if let [work, seen, units] = args.counted.as_slice() {
        return telemetry::count(work, seen, units).await;
    }
    match args.child.as_slice() {
        [what, dir] => child::run(what, &PathBuf::from(dir)).await,
        _ => measure(args).await,
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let wanted: Vec<String> = args.only.iter().map(|name| name.to_uppercase()).collect();
    let names = args.names();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(&name.as_str())) {
        anyhow::bail!("there is no workload {unknown}: it is one of {}", names.join(", "));
    }
    let setting = args.setting();
    let host = host::describe();
    report::say(&host);
    let mut figures = Vec::new();
    for name in names.iter().filter(|name| wanted.is_empty() || wanted.iter().any(|w| w == *name)) {
        report::say(&format!("{name}: {}", args.about(name)));
        let measured = args.run(name, &setting).await?;
        measured.iter().for_each(|figure| report::say(&format!("  {figure}")));
        figures.extend(measured);
    }
    report::print(&host, &setting, &figures, args.json)
}
