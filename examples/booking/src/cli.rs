//! The command line: what each command is called, and where it goes. Every command is a file of its own.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use palinode::settings::Sources;

use crate::{
    payment::RemoteBank,
    place::{Place, Servers},
    telemetry::{self, Seen, TelemetryArgs},
};

mod bank;
mod book;
mod crash;
mod create;
mod drive;
mod folder;
mod load;
mod progress;
mod reads;
mod replay;
mod report;
mod run;
mod saga;
mod say;
mod serve;
mod show;
mod stop;
mod tally;
mod timeline;
mod verify;
mod work;

/// Books trips through a saga over four services: a room, seats, perhaps a car, then the money.
///
/// Without a command it books a few thousand made-up trips, some of which are refused somewhere and taken back, and
/// shows what became of them. Run again, it goes on with the same data.
#[derive(Debug, Parser)]
#[command(name = "booking", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    book: BookArgs,
    #[command(flatten)]
    common: Common,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
struct Common {
    /// Where the data lies [default: palinode-booking in the user's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The bank, when it is a process of its own (`booking bank`); without it, it works in this one
    #[arg(long, global = true, value_name = "http://HOST:PORT")]
    bank: Option<String>,
    /// The log on Kafka instead, shared by processes that `booking run` starts; with --postgres
    #[arg(long, global = true, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// The read models in PostgreSQL; its password is better said by PALINODE_POSTGRES_PASSWORD_FILE
    #[arg(long, global = true, value_name = "URL")]
    postgres: Option<String>,
    /// More about both, in TOML (docs/configuration.md); the environment and flags win over it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[arg(skip)]
    seen: Seen,
}

impl Common {
    fn place(&self) -> anyhow::Result<Place> {
        self.place_with(&[])
    }

    /// The place, with more settings: the flag, the key, the value.
    fn place_with(&self, more: &[(&str, &str, String)]) -> anyhow::Result<Place> {
        let bank = self.bank.as_deref().map(RemoteBank::at).transpose()?;
        let mut sources = Sources::new();
        if let Some(file) = &self.config {
            sources = sources.file(file);
        }
        sources = sources.environment(std::env::vars_os());
        for (flag, key, value) in
            [("--kafka", "kafka.bootstrap", &self.kafka), ("--postgres", "postgres.url", &self.postgres)]
        {
            if let Some(value) = value {
                sources = sources.flag(flag, key, value);
            }
        }
        for (flag, key, value) in more {
            sources = sources.flag(flag, key, value);
        }
        let servers = Servers::of(&sources.settings()?)?;
        Ok(Place::new(self.folder()?, bank, servers).seen_by(self.seen.clone()))
    }

    /// The same place on another command line, as it was named on this one.
    fn again(&self) -> Vec<String> {
        let file = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let named = [
            ("--data", file(&self.data)),
            ("--bank", self.bank.clone()),
            ("--kafka", self.kafka.clone()),
            ("--postgres", self.postgres.clone()),
            ("--config", file(&self.config)),
        ];
        named.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?])).flatten().collect()
    }

    fn folder(&self) -> anyhow::Result<PathBuf> {
        match &self.data {
            Some(folder) => Ok(folder.clone()),
            None => folder::default(),
        }
    }
}

#[derive(Debug, Clone, Args)]
struct BookArgs {
    /// How many trips to book
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    trips: u64,
    /// Which trips: the same seed makes the same ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Seconds a trip waits for its guest's decision before it is taken back
    #[arg(long, value_name = "SECONDS", default_value = "0.5")]
    hold: Seconds,
    #[command(flatten)]
    pace: Pace,
}

/// How much is done at a time.
#[derive(Debug, Clone, Copy, Args)]
struct Pace {
    /// How many trips are worked on at a time
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    concurrency: u32,
}

/// Seconds with a fraction, more than none.
#[derive(Debug, Clone, Copy)]
struct Seconds(Duration);

impl std::str::FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
        if !(0.001..=86_400.0).contains(&seconds) {
            return Err("between 0.001 and 86400 seconds".into());
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Book every row of the public data set of hotel bookings
    Replay(ReplayArgs),
    /// Kill it at random moments under load, start it again, and look what became of every trip
    Crash(CrashArgs),
    /// Compute everything again from the log by other code, and compare
    Verify,
    /// Look at sagas, and do what only a person may
    Saga {
        #[command(subcommand)]
        command: saga::SagaCommand,
    },
    /// Look at read models, and do what only a person may
    Reads {
        #[command(subcommand)]
        command: reads::ReadsCommand,
    },
    /// Create the four services on Kafka, once
    Create(create::CreateArgs),
    /// Run services on Kafka and PostgreSQL; more processes of the same one share its work
    Run(run::RunArgs),
    /// Serve trips over HTTP
    Serve(serve::ServeArgs),
    /// Book trips over HTTP, with many clients at a time, and look what became of them
    Load(load::LoadArgs),
    /// Take payments over HTTP, for services in other processes
    Bank(bank::BankArgs),
    /// Show one trip as a timeline
    Show {
        /// The trip's id, 16 digits
        id: String,
    },
    /// Book trips by number, saying which were accepted: what `crash` starts and kills
    #[command(hide = true)]
    Work(WorkArgs),
}

#[derive(Debug, Clone, Args)]
struct ReplayArgs {
    /// The data set: CSV, compressed with gzip or not
    #[arg(value_name = "FILE.csv[.gz]")]
    file: PathBuf,
    /// Only the first N rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Seconds a trip waits for its guest's decision before it is taken back
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    hold: Seconds,
    #[command(flatten)]
    pace: Pace,
}

#[derive(Debug, Clone, Args)]
struct CrashArgs {
    /// How many times it is killed
    #[arg(long, value_name = "N", default_value_t = 5)]
    kills: u32,
}

#[derive(Debug, Clone, Args)]
struct WorkArgs {
    /// Of the trips of this seed
    #[arg(long)]
    seed: u64,
    /// Those from this number on
    #[arg(long)]
    from: u64,
    /// And below this one
    #[arg(long)]
    until: u64,
    /// Seconds a trip waits for its guest's decision before it is taken back
    #[arg(long, value_name = "SECONDS", default_value = "0.5")]
    hold: Seconds,
    #[command(flatten)]
    pace: Pace,
}

/// Runs the command that was asked for.
pub fn run() -> ExitCode {
    observed(Cli::parse()).unwrap_or_else(|e| {
        say::error(&e);
        ExitCode::from(2)
    })
}

/// Runs it, and what it tells leaves after everything else has ended.
fn observed(mut cli: Cli) -> anyhow::Result<ExitCode> {
    let serves = matches!(cli.command, Some(Command::Serve(_) | Command::Run(_)));
    let (telemetry, seen) = cli.common.telemetry.start(serves)?;
    cli.common.seen = seen;
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command(cli)));
    telemetry::drain(telemetry);
    done
}

async fn command(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { command, book, common } = cli;
    match command {
        None => book::run(&book, &common).await,
        Some(Command::Replay(args)) => replay::run(&args, &common).await,
        Some(Command::Crash(args)) => crash::run(&args, &common).await,
        Some(Command::Verify) => verify::run(&common).await,
        Some(Command::Saga { command }) => saga::run(command, &common).await,
        Some(Command::Reads { command }) => reads::run(command, &common).await,
        Some(Command::Create(args)) => create::run(&args, &common).await,
        Some(Command::Run(args)) => run::run(&args, &common).await,
        Some(Command::Serve(args)) => serve::run(&args, &common).await,
        Some(Command::Bank(args)) => bank::run(&args, &common).await,
        Some(Command::Load(args)) => load::run(&args, &common).await,
        Some(Command::Show { id }) => show::run(&id, &common).await,
        Some(Command::Work(args)) => work::run(&args, &common).await,
    }
}

/// Who does something that is recorded.
fn person(named: Option<&str>) -> anyhow::Result<String> {
    let user = || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let known = named.map(str::to_owned).or_else(user).filter(|name| !name.is_empty());
    anyhow::Context::context(known, "nobody is named: say who with --by NAME")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_its_own_hold() {
        Cli::command().debug_assert();
        let book = Cli::try_parse_from(["booking"]).unwrap();
        assert_eq!(book.book.hold.0, Duration::from_millis(500));
        let replay = Cli::try_parse_from(["booking", "--data", "d", "replay", "f.csv", "--json"]).unwrap();
        assert!(replay.common.json && replay.common.data.is_some());
        let Some(Command::Replay(args)) = replay.command else { panic!("{replay:?}") };
        assert_eq!((args.hold.0, args.pace.concurrency), (Duration::from_secs(2), 256));
        assert!(Cli::try_parse_from(["booking", "--hold", "0"]).is_err());
    }
}
