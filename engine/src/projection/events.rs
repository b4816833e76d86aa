//! What a projection subscribes to: a set of recorded events, by their stable names, and how they become a type.

use std::{fmt, ops::Deref};

use crate::{aggregate::Aggregate, commit::EventRecord, entity::decode_event};

/// A set of events that a projection reads.
///
/// [`Of`] is the set of one aggregate's events; [`event_set!`](crate::event_set) makes an enum over several
/// aggregates. Written by hand, a set can be anything that event names can tell:
///
/// ```
/// use palinode::{commit::EventRecord, projection::EventSet};
///
/// /// Every event of every saga, undecoded.
/// struct Journal(EventRecord);
///
/// impl EventSet for Journal {
///     fn wants(name: &str) -> bool {
///         name.starts_with("saga.")
///     }
///     fn decode(event: &EventRecord) -> Result<Self, String> {
///         Ok(Self(event.clone()))
///     }
/// }
/// assert!(Journal::wants("saga.asked") && !Journal::wants("room.held"));
/// ```
pub trait EventSet: Sized + Send + 'static {
    /// Whether events of this name are in the set. Pure.
    fn wants(name: &str) -> bool;

    /// An event of the set, raised to its present schema.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn decode(event: &EventRecord) -> Result<Self, String>;
}

/// All events of one aggregate.
pub struct Of<A: Aggregate>(
    /// The event.
    pub A::Event,
);

impl<A: Aggregate> EventSet for Of<A> {
    fn wants(name: &str) -> bool {
        name.strip_prefix(A::KIND).is_some_and(|rest| rest.starts_with('.'))
    }

    fn decode(event: &EventRecord) -> Result<Self, String> {
        decode_event(A::KIND, &A::upcasters(), event).map(Self)
    }
}

impl<A: Aggregate> Deref for Of<A> {
    type Target = A::Event;

    fn deref(&self) -> &A::Event {
        &self.0
    }
}

impl<A: Aggregate<Event: fmt::Debug>> fmt::Debug for Of<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An enum over the events of several aggregates of one service, each variant named and holding that aggregate's
/// event: an [`EventSet`](crate::projection::EventSet).
///
/// ```
/// # use palinode::{Aggregate, Context};
/// # use serde::{Deserialize, Serialize};
/// # macro_rules! aggregate { ($name:ident, $kind:literal, $event:ty) => {
/// #     #[derive(Default, Serialize, Deserialize)] pub struct $name;
/// #     impl Aggregate for $name {
/// #         const SERVICE: &'static str = "hotel"; const KIND: &'static str = $kind;
/// #         type Command = (); type Event = $event; type Reply = (); type Rejection = String;
/// #         fn decide(&self, _: &(), _: &Context) -> Result<Vec<$event>, String> { Ok(vec![]) }
/// #         fn evolve(&mut self, _: &$event) {}
/// #         fn reply(&self, _: &()) {}
/// #     }
/// # } }
/// # #[derive(Serialize, Deserialize)] #[serde(tag = "type", content = "data")] pub enum RoomEvent { Held(u32) }
/// # #[derive(Serialize, Deserialize)] #[serde(tag = "type", content = "data")] pub enum GuestEvent { Left }
/// # aggregate!(Room, "room", RoomEvent);
/// # aggregate!(Guest, "guest", GuestEvent);
/// use palinode::{Upcasters, entity::encode_event, event_set, projection::EventSet};
///
/// event_set! {
///     /// What happens in the hotel.
///     pub enum HotelEvent { Room(Room), Guest(Guest) }
/// }
///
/// assert!(HotelEvent::wants("room.Held") && HotelEvent::wants("guest.Left") && !HotelEvent::wants("rooms.Held"));
/// let recorded = encode_event("room", &Upcasters::default(), &RoomEvent::Held(7))?;
/// assert!(matches!(HotelEvent::decode(&recorded)?, HotelEvent::Room(RoomEvent::Held(7))));
/// # Ok::<(), String>(())
/// ```
#[macro_export]
macro_rules! event_set {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($variant:ident($aggregate:ty)),+ $(,)? }) => {
        $(#[$meta])*
        $vis enum $name {
            $(
                #[doc = concat!("An event of `", stringify!($aggregate), "`.")]
                $variant(<$aggregate as $crate::Aggregate>::Event)
            ),+
        }

        impl $crate::projection::EventSet for $name {
            fn wants(name: &str) -> bool {
                false $(|| <$crate::projection::Of<$aggregate> as $crate::projection::EventSet>::wants(name))+
            }

            fn decode(event: &$crate::commit::EventRecord) -> ::core::result::Result<Self, ::std::string::String> {
                $(
                    if <$crate::projection::Of<$aggregate> as $crate::projection::EventSet>::wants(&event.name) {
                        return <$crate::projection::Of<$aggregate> as $crate::projection::EventSet>::decode(event)
                            .map(|event| Self::$variant(event.0));
                    }
                )+
                ::core::result::Result::Err(::std::format!(
                    concat!("event {} is not in ", stringify!($name)), event.name
                ))
            }
        }
    };
}
