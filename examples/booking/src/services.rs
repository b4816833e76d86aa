//! The services of the example and their read models: all of them on the data of one folder, some of them on servers that
//! other processes share, or none, only asked. The only file that knows how a node is built and started.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use clap::ValueEnum;
use palinode::{
    Client, Limits, Node, Service, SystemClock,
    health::{ShardHealth, Stage},
    log::kafka::KafkaLog,
    projection::ReadModel,
    store::{postgres::PgDb, sqlite::SqliteDb},
};
use palinode_sagas::{Saga, SagaClient, SagaService, Sagas, view::Standings};

use crate::{
    domain::{Car, Flight, RoomType},
    payment::{CapturePayment, IssueVoucher, VoucherDesk},
    place::{Payments, Place, Servers},
    read::{self, model::Model, tables::Tables, versions::Followed},
    saga::book_trip,
    telemetry::{PROGRAM, Seen},
    trips::Trip,
};

/// How long stopping in order may take.
pub(crate) const STOP: Duration = Duration::from_secs(20);

/// How often it is counted where sagas stand, when anybody wants to know.
const COUNTED: Duration = Duration::from_secs(5);

/// A service of the example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Name {
    /// The sagas
    Trip,
    /// Rooms
    Hotel,
    /// Seats
    Flight,
    /// Cars
    Car,
}

impl Name {
    /// Every service.
    pub(crate) const ALL: [Self; 4] = [Self::Trip, Self::Hotel, Self::Flight, Self::Car];

    /// As topics and rows name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Trip => "trip",
            Self::Hotel => "hotel",
            Self::Flight => "flight",
            Self::Car => "car",
        }
    }
}

/// The services as a process has them: it runs them, or asks them.
pub(crate) struct Services {
    node: Option<Node>,
    /// The trips.
    pub(crate) trips: Sagas<Trip>,
    /// How every trip stands.
    pub(crate) trips_model: Model,
    /// Rooms taken.
    pub(crate) rooms_model: Model,
    /// Seats taken.
    pub(crate) seats_model: Model,
    /// Cars taken.
    pub(crate) cars_model: Model,
    tables: Tables,
    /// Where the read models of several processes are.
    shared: Option<PgDb>,
    seen: Seen,
}

impl Services {
    /// Starts everything on the folder of a place, which is made when it is not there; of a place on servers it runs
    /// nothing and asks others. Trips wait `hold` for their guests, and commands for their shards within these limits.
    ///
    /// # Errors
    /// When the folder is in use or cannot be used; when a server does not answer, or a service was never created. The
    /// error says what to do.
    pub(crate) async fn start(place: &Place, hold: Duration, limits: Limits) -> anyhow::Result<Self> {
        match place.servers() {
            None => Self::embedded(place, hold, limits).await,
            Some(servers) => Self::asked(place, servers, hold).await,
        }
    }

    async fn embedded(place: &Place, hold: Duration, limits: Limits) -> anyhow::Result<Self> {
        place.make()?;
        let (folder, saga) = (place.folder(), book_trip(hold));
        let bank = place.payments().context("payments.db cannot be opened")?;
        let mut node = Node::embedded(folder).limits(limits);
        if let Some(observer) = place.seen().observer() {
            node = node.observe(observer);
        }
        for name in Name::ALL {
            node = node.service(service(name, &saga, Some(&bank)));
        }
        let node = node.start().await?;
        Ok(Self {
            trips_model: Model::Here(seen(read::TRIPS.start(&node).await?)?),
            rooms_model: Model::Here(seen(read::ROOMS.start(&node).await?)?),
            seats_model: Model::Here(seen(read::SEATS.start(&node).await?)?),
            cars_model: Model::Here(seen(read::CARS.start(&node).await?)?),
            trips: node.client().of_service(PROGRAM).sagas("trip", &saga),
            tables: Tables::Sqlite(node.read_db()?.readers().clone()),
            node: Some(node),
            shared: None,
            seen: place.seen().clone(),
        })
    }

    /// Runs these services in this process; others may run them as well, and share their shards with it.
    ///
    /// # Errors
    /// As [`Services::start`].
    pub(crate) async fn run(
        place: &Place,
        servers: &Servers,
        names: &[Name],
        hold: Duration,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let saga = book_trip(hold);
        let bank = if names.contains(&Name::Trip) {
            place.make()?;
            Some(place.payments().context("payments.db cannot be opened")?)
        } else {
            None
        };
        let mut node = Node::kafka(servers.kafka.clone(), servers.postgres.clone()).limits(limits);
        if let Some(observer) = place.seen().observer() {
            node = node.observe(observer);
        }
        for name in Name::ALL {
            node = if names.contains(&name) {
                node.service(service(name, &saga, bank.as_ref()))
            } else {
                node.peer(name.as_str())
            };
        }
        let node = node.start().await?;
        let db = node.postgres()?.clone();
        let here = |name| names.contains(&name).then_some(&node);
        if let Some(node) = here(Name::Trip) {
            let sagas = node.project_into("trip", palinode_sagas::SagaRows, db.clone()).await?;
            if place.seen().observer().is_some() {
                Standings::count(node, &sagas, db.clone(), COUNTED);
            }
        }
        Ok(Self {
            trips_model: followed(here(Name::Trip), &read::TRIPS, &db).await?,
            rooms_model: followed(here(Name::Hotel), &read::ROOMS, &db).await?,
            seats_model: followed(here(Name::Flight), &read::SEATS, &db).await?,
            cars_model: followed(here(Name::Car), &read::CARS, &db).await?,
            trips: node.client().of_service(PROGRAM).sagas("trip", &saga),
            tables: Tables::Postgres(db.readers().clone()),
            node: Some(node),
            shared: Some(db),
            seen: place.seen().clone(),
        })
    }

    /// Runs none of them.
    async fn asked(place: &Place, servers: &Servers, hold: Duration) -> anyhow::Result<Self> {
        let log = KafkaLog::connect(servers.kafka.clone(), Arc::new(SystemClock)).await?;
        let client = Client::connect(Arc::new(log), Name::ALL.map(Name::as_str)).await?;
        let mut client = client.of_service(PROGRAM);
        if let Some(observer) = place.seen().observer() {
            client = client.observe(observer);
        }
        let db = PgDb::connect(servers.postgres.clone()).await?;
        Ok(Self {
            trips_model: followed(None, &read::TRIPS, &db).await?,
            rooms_model: followed(None, &read::ROOMS, &db).await?,
            seats_model: followed(None, &read::SEATS, &db).await?,
            cars_model: followed(None, &read::CARS, &db).await?,
            trips: client.sagas("trip", &book_trip(hold)),
            tables: Tables::Postgres(db.readers().clone()),
            node: None,
            shared: Some(db),
            seen: place.seen().clone(),
        })
    }

    /// The rows of all sagas, followed from now on if they are not yet.
    ///
    /// # Errors
    /// When they cannot be.
    pub(crate) async fn sagas_model(&self) -> anyhow::Result<Model> {
        Ok(match (&self.shared, &self.node) {
            (Some(db), _) => Model::elsewhere(&read::SAGAS, db.clone()),
            (None, Some(node)) => {
                let sagas = seen(read::SAGAS.start(node).await?)?;
                if self.seen.observer().is_some() {
                    Standings::count(node, &sagas, node.read_db()?.clone(), COUNTED);
                }
                Model::Here(sagas)
            }
            (None, None) => anyhow::bail!("there is nobody to ask for sagas"),
        })
    }

    /// The node that runs services here.
    pub(crate) fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Who is told what happens, and where it is looked at.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The tables of the read models.
    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The database that processes share.
    pub(crate) fn shared(&self) -> Option<&PgDb> {
        self.shared.as_ref()
    }

    /// Why a shard does not take commands here, or what goes wrong with it: its log or its inbox cannot be read, its group not be
    /// followed. What other processes have is their business, once the group has said that they may.
    pub(crate) fn trouble(&self) -> Option<String> {
        let alone = self.shared.is_none();
        let waits = |stage: &Stage| match stage {
            Stage::Serving => false,
            Stage::Away => alone,
            _ => true,
        };
        let shards = self.node.iter().flat_map(Node::health);
        let ill = |shard: &ShardHealth| waits(&shard.stage) || shard.trouble.is_some();
        shards.into_iter().find(ill).map(|shard| format!("shard {shard}"))
    }

    /// Stops in order. True when everything ended within its time.
    pub(crate) async fn stop(self) -> bool {
        match self.node {
            Some(node) => node.stop(STOP).await,
            None => true,
        }
    }
}

/// A service; the sagas pay by the bank.
fn service(name: Name, saga: &Saga<Trip>, bank: Option<&Payments>) -> Service {
    let service = Service::new(name.as_str());
    match name {
        Name::Hotel => service.aggregate::<RoomType>(),
        Name::Flight => service.aggregate::<Flight>(),
        Name::Car => service.aggregate::<Car>(),
        Name::Trip => {
            let service = service.saga(saga).perform::<IssueVoucher>(VoucherDesk);
            match bank {
                Some(bank) => service.perform::<CapturePayment>(bank.clone()),
                None => service,
            }
        }
    }
}

/// A read model in the shared database: followed here for the shards that are owned here, or by others.
async fn followed<P>(here: Option<&Node>, of: &Followed<P>, db: &PgDb) -> anyhow::Result<Model>
where
    P: palinode::projection::Projection<SqliteDb> + palinode::projection::Projection<PgDb>,
{
    Ok(match here {
        Some(node) => Model::Here(node.project_into(of.service, (of.new)(), db.clone()).await?),
        None => Model::elsewhere(of, db.clone()),
    })
}

/// The version that readers see; others go on beside it, until the node stops.
///
/// # Errors
/// When there is none.
pub(crate) fn seen(versions: Vec<ReadModel>) -> anyhow::Result<ReadModel> {
    versions.into_iter().next().context("a read model has no version")
}
