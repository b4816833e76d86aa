//! `sim`: many seeds, one seed, a kept script, the zoo. `cargo xtask sim` builds and calls it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line program")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use palinode_sim::{Campaign, Caught, Stopwatch, Summary, campaign, replay, run_zoo, script_of, smallest};

/// Simulates whole worlds and says what is wrong with them.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Begin no seed after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Worlds at a time.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Look for each planted bug instead: a build with the feature `zoo` is needed.
    #[arg(long)]
    zoo: bool,
    /// Only this planted bug; with `--shrink` or `--script`: with this bug planted.
    #[arg(long)]
    bug: Option<String>,
    /// Cut the script of this seed as long as it fails, and print what is left.
    #[arg(long)]
    shrink: Option<u64>,
    /// Run a script that was kept.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Print the script of this seed.
    #[arg(long)]
    show: Option<u64>,
    /// Run everything twice, the second time on one thread, and compare.
    #[arg(long)]
    twice: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// What the nodes say, as a filter: `palinode=debug`. For one seed.
    #[arg(long)]
    log: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(filter) = &args.log {
        let out = tracing_subscriber::fmt().with_env_filter(filter).without_time().with_ansi(false);
        out.init();
    }
    if let Some(seed) = args.show {
        println!("{}", script_of(seed));
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = args.shrink {
        return cut(seed, args.bug.as_deref());
    }
    if let Some(path) = &args.script {
        return kept(path, args.bug.as_deref());
    }
    if args.zoo { zoo(&args) } else { seeds(&args) }
}

fn seeds(args: &Args) -> ExitCode {
    let of = Campaign {
        seeds: args.seeds,
        from: args.from,
        within: args.minutes.map(|minutes| Duration::from_secs(minutes * 60)),
        threads: args.threads,
        known: args.from == 1,
    };
    let clock = Stopwatch::start();
    let summary = campaign(&of, |run, failed| {
        if run % 200 == 0 {
            let rate = run as f64 / clock.passed().as_secs_f64();
            eprintln!("{run} seeds, {failed} failed, {rate:.0} seeds/s");
        }
    });
    let seconds = clock.passed().as_secs_f64();
    let same = !args.twice || same_again(&of, &summary);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary).unwrap_or_default());
    } else {
        report(&summary, seconds);
    }
    if summary.failed == 0 && same { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn same_again(of: &Campaign, first: &Summary) -> bool {
    let again = campaign(&Campaign { threads: 1, ..of.clone() }, |_, _| {});
    let differ: Vec<&u64> =
        first.traces.iter().filter(|(seed, n)| again.traces.get(seed) != Some(n)).map(|(s, _)| s).collect();
    println!("{} worlds run again: {} differ {differ:?}", first.traces.len(), differ.len());
    differ.is_empty()
}

fn report(summary: &Summary, seconds: f64) {
    for failure in &summary.failures {
        println!("seed {} failed: cargo xtask sim --from {0} --seeds 1", failure.seed);
        for wrong in failure.wrong.iter().take(8) {
            println!("    {wrong}");
        }
    }
    let n = summary.seeds;
    println!("faults injected, by kind:");
    for (kind, n) in &summary.faults {
        println!("{n:>10}  {kind}");
    }
    println!("rare states, by the number of worlds that reached them:");
    for (mark, n) in &summary.marks {
        println!("{n:>10}  {mark}");
    }
    for mark in &summary.unreached {
        println!("   NEVER    {mark}");
    }
    println!(
        "{n} seeds in {seconds:.1} s ({:.1} a second), {:.1} hours of virtual time; {} sagas, {} commits, {} dead \
         records, {} faults",
        n as f64 / seconds,
        summary.virtual_hours,
        summary.sagas,
        summary.commits,
        summary.dead,
        summary.injected()
    );
    if summary.failed == 0 {
        println!(
            "no failure in {n} seeds: the failure rate of this workload is below {:.2e} with 95 % confidence",
            3.0 / n as f64
        );
    } else {
        println!("{} of {n} seeds FAILED", summary.failed);
    }
}

fn zoo(args: &Args) -> ExitCode {
    if !cfg!(feature = "zoo") {
        eprintln!("this build has no zoo: cargo xtask sim --zoo");
        return ExitCode::from(2);
    }
    let all = run_zoo(args.seeds, args.bug.as_deref(), args.threads, |caught| {
        let Caught { bug, seed, found } = caught;
        match seed {
            Some(seed) => println!("{bug:<36} seed {seed:>5}  {}", found.as_deref().unwrap_or_default()),
            None => println!("{bug:<36} NOT FOUND in {} seeds", args.seeds),
        }
    });
    let found = all.iter().filter(|caught| caught.seed.is_some()).count();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
    }
    println!("{found} of {} planted bugs were found", all.len());
    if found == all.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cut(seed: u64, bug: Option<&str>) -> ExitCode {
    match smallest(seed, bug) {
        Some(cut) => {
            println!("{}", cut.told);
            cut.wrong.iter().take(8).for_each(|wrong| println!("wrong: {wrong}"));
            println!("seed {seed}: {} of {} actions are left after {} runs", cut.actions, cut.of, cut.runs);
            let path = PathBuf::from(format!("target/sim-{seed}.json"));
            match std::fs::write(&path, &cut.script) {
                Ok(()) => {
                    let bug = bug.map_or_else(String::new, |bug| format!(" --zoo --bug {bug}"));
                    println!("again: cargo xtask sim --script {}{bug}", path.display());
                }
                Err(why) => println!("{}\n{}: {why}", cut.script, path.display()),
            }
            ExitCode::FAILURE
        }
        None => {
            eprintln!("seed {seed} does not fail");
            ExitCode::SUCCESS
        }
    }
}

fn kept(path: &PathBuf, bug: Option<&str>) -> ExitCode {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string());
    match text.and_then(|text| replay(&text, bug).map_err(|e| e.to_string())) {
        Ok(wrong) if wrong.is_empty() => {
            println!("nothing is wrong");
            ExitCode::SUCCESS
        }
        Ok(wrong) => {
            wrong.iter().for_each(|wrong| println!("{wrong}"));
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("{}: {why}", path.display());
            ExitCode::from(2)
        }
    }
}
