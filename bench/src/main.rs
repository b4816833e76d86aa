//! How fast the engine is: each figure beside its limit, measured in the same run. Run it with
//! `cargo xtask bench [--quick] [--only W2] [--json]`.

mod child;
mod domain;
mod figure;
mod host;
mod limit;
mod load;
mod report;
mod setting;
mod workload;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::setting::Setting;

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
    /// Only this workload (W1 to W9); may be given several times.
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
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.child.as_slice() {
        [what, dir] => child::run(what, &PathBuf::from(dir)).await,
        _ => measure(&args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            report::say(&format!("bench: {e:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let wanted: Vec<String> = args.only.iter().map(|name| name.to_uppercase()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !workload::NAMES.contains(&name.as_str())) {
        anyhow::bail!("there is no workload {unknown}: it is one of {}", workload::NAMES.join(", "));
    }
    let setting = Setting::new(args.quick, args.repeat);
    let host = host::describe();
    report::say(&host);
    let mut figures = Vec::new();
    for name in workload::NAMES.iter().filter(|name| wanted.is_empty() || wanted.iter().any(|w| w == *name)) {
        report::say(&format!("{name}: {}", workload::about(name)));
        let measured = workload::run(name, &setting).await?;
        measured.iter().for_each(|figure| report::say(&format!("  {figure}")));
        figures.extend(measured);
    }
    report::print(&host, &setting, &figures, args.json)
}
