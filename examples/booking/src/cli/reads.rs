//! `booking reads`: read models as an operator sees them, and what only a person may do with them: parked keys, building
//! again, moving readers. It needs the folder's lock, because a read model is moved by its own runner.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use palinode::{
    Limits, Node,
    projection::{ApplyError, ReadModel, Said},
};

use super::{Common, folder::in_use, person};
use crate::{
    read::{self, model::Model},
    services::Services,
};

mod parked;
mod rebuild;
mod show;

/// How long trips wait for their guests that begin to wait here.
const HOLD: std::time::Duration = std::time::Duration::from_secs(3_600);

/// A read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    /// How every trip stands
    Trips,
    /// Rooms taken, by night
    RoomNights,
    /// Seats taken, by flight
    Seats,
    /// Cars taken, by station and day
    Cars,
    /// All sagas, and what they wait for
    #[value(name = "palinode-sagas")]
    SagaRows,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum ReadsCommand {
    /// List read models: versions, how far each is, parked keys
    List,
    /// Show one: its versions, its parked keys, and who did what to it
    Show {
        /// Which
        #[arg(value_enum)]
        name: Name,
    },
    /// Take again what a parked key holds, or all keys that were parked for one cause
    Retry {
        #[command(flatten)]
        of: Of,
        /// The key, as `reads show` names it
        #[arg(required_unless_present = "cause")]
        key: Option<String>,
        /// All keys of this cause instead
        #[arg(long, value_name = "TEXT", conflicts_with = "key")]
        cause: Option<String>,
    },
    /// Leave the first event of a parked key out for good, and take the rest
    Skip(OfKey),
    /// Leave all events that a parked key holds out for good
    Discard(OfKey),
    /// Build it again from the log, beside the version that readers see, and compare the two
    Rebuild(Of),
    /// Move readers to another version
    Swap(OfVersion),
    /// Take away a version that readers do not see
    Remove(OfVersion),
}

/// What a verb is about, and who says it.
#[derive(Debug, Clone, Args)]
pub(super) struct Of {
    /// Which read model
    #[arg(value_enum)]
    name: Name,
    /// Who does it [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Seconds it may take
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    wait: super::Seconds,
}

/// The same, about a parked key.
#[derive(Debug, Clone, Args)]
pub(super) struct OfKey {
    #[command(flatten)]
    of: Of,
    /// The key, as `reads show` names it
    key: String,
}

/// The same, about a version.
#[derive(Debug, Clone, Args)]
pub(super) struct OfVersion {
    #[command(flatten)]
    of: Of,
    /// The version, as `reads show` numbers it
    version: u32,
}

/// The running read models, each in the version that readers see.
struct Desk {
    services: Services,
    models: Vec<(Name, ReadModel)>,
}

impl Desk {
    async fn open(common: &Common) -> anyhow::Result<Self> {
        let place = common.place()?;
        place.only_folder("reads")?;
        let services = Services::start(&place, HOLD, Limits::default()).await.map_err(in_use)?;
        let sagas_model = services.sagas_model().await?;
        let all = [
            (Name::Trips, &services.trips_model),
            (Name::RoomNights, &services.rooms_model),
            (Name::Seats, &services.seats_model),
            (Name::Cars, &services.cars_model),
            (Name::SagaRows, &sagas_model),
        ];
        for (_, model) in all {
            model.caught_up().await;
        }
        let here = |(name, model): (Name, &Model)| Some((name, model.here()?.clone()));
        let models = all.into_iter().filter_map(here).collect();
        Ok(Self { services, models })
    }

    fn node(&self) -> Result<&Node, ApplyError> {
        self.services.node().ok_or_else(|| ApplyError::broken("no read model runs here"))
    }

    fn model(&self, name: Name) -> anyhow::Result<&ReadModel> {
        let found = self.models.iter().find(|(known, _)| *known == name);
        found.map(|(_, model)| model).ok_or_else(|| anyhow::anyhow!("there is no read model {name:?}"))
    }

    /// Follows with the other version than this one.
    async fn start_other(&self, name: Name, than: u32) -> Result<ReadModel, ApplyError> {
        match name {
            Name::Trips => read::TRIPS.start_other(self.node()?, than).await,
            Name::RoomNights => read::ROOMS.start_other(self.node()?, than).await,
            Name::Seats => read::SEATS.start_other(self.node()?, than).await,
            Name::Cars => read::CARS.start_other(self.node()?, than).await,
            Name::SagaRows => read::SAGAS.start_other(self.node()?, than).await,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the folder is in use, or the command cannot be carried out.
pub(super) async fn run(command: ReadsCommand, common: &Common) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(common).await?;
    let done = carry_out(command, &desk, common).await;
    desk.services.stop().await;
    done
}

async fn carry_out(command: ReadsCommand, desk: &Desk, common: &Common) -> anyhow::Result<ExitCode> {
    match command {
        ReadsCommand::List => show::list(desk, common).await,
        ReadsCommand::Show { name } => show::one(desk.model(name)?, common).await,
        ReadsCommand::Retry { of, key, cause } => {
            let what = match (key, cause) {
                (Some(key), _) => parked::What::Retry(key),
                (None, cause) => parked::What::RetryCause(cause.unwrap_or_default()),
            };
            parked::run(desk.model(of.name)?, what, &of, common).await
        }
        ReadsCommand::Skip(OfKey { of, key }) => {
            parked::run(desk.model(of.name)?, parked::What::Skip(key), &of, common).await
        }
        ReadsCommand::Discard(OfKey { of, key }) => {
            parked::run(desk.model(of.name)?, parked::What::Discard(key), &of, common).await
        }
        ReadsCommand::Rebuild(of) => rebuild::rebuild(desk, &of, common).await,
        ReadsCommand::Swap(OfVersion { of, version }) => {
            let model = desk.model(of.name)?;
            model.swap(version, of.wait.0, &of.said()?).await?;
            show::one(model, common).await
        }
        ReadsCommand::Remove(OfVersion { of, version }) => {
            let model = desk.model(of.name)?;
            model.remove(version, &of.said()?).await?;
            show::one(model, common).await
        }
    }
}

impl Of {
    fn said(&self) -> anyhow::Result<Said> {
        Ok(Said::new(person(self.by.as_deref())?, self.why.as_str()))
    }
}
