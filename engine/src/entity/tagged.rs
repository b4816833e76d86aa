//! An adjacently tagged enum taken apart while it is serialised: its tag, and its content as JSON, in one pass. Knows
//! nothing of events.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, Impossible, SerializeStruct},
};
use serde_json::{
    Error,
    value::{RawValue, to_raw_value},
};

/// Tag and content of a value that serialises as `{"type": .., "data": ..}`; a variant without content has `null`.
///
/// # Errors
/// When it serialises as anything else, or not at all.
pub(super) fn tagged<T: Serialize>(value: &T) -> Result<(String, Box<RawValue>), Error> {
    value.serialize(Whole)
}

fn shape() -> Error {
    Error::custom("it must be an enum with tag = \"type\", content = \"data\"")
}

/// Takes the struct that serde makes of such an enum.
struct Whole;

#[derive(Default)]
struct Parts {
    tag: Option<String>,
    data: Option<Box<RawValue>>,
}

impl SerializeStruct for Parts {
    type Ok = (String, Box<RawValue>);
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        match key {
            "type" => self.tag = Some(value.serialize(Name)?),
            "data" => self.data = Some(to_raw_value(value)?),
            _ => return Err(shape()),
        }
        Ok(())
    }

    fn end(self) -> Result<Self::Ok, Error> {
        let data = self.data.unwrap_or_else(|| RawValue::NULL.to_owned());
        self.tag.map(|tag| (tag, data)).ok_or_else(shape)
    }
}

/// Everything a serializer is asked for, refused but for what is written out before.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<Self::Ok, Error> { Err(shape()) })*
    };
}

macro_rules! refuse_all_but_names_and_structs {
    () => {
        type Error = Error;
        type SerializeSeq = Impossible<Self::Ok, Error>;
        type SerializeTuple = Impossible<Self::Ok, Error>;
        type SerializeTupleStruct = Impossible<Self::Ok, Error>;
        type SerializeTupleVariant = Impossible<Self::Ok, Error>;
        type SerializeMap = Impossible<Self::Ok, Error>;
        type SerializeStructVariant = Impossible<Self::Ok, Error>;

        refuse! {
            serialize_bool(bool);
            serialize_i8(i8);
            serialize_i16(i16);
            serialize_i32(i32);
            serialize_i64(i64);
            serialize_u8(u8);
            serialize_u16(u16);
            serialize_u32(u32);
            serialize_u64(u64);
            serialize_f32(f32);
            serialize_f64(f64);
            serialize_char(char);
            serialize_bytes(&[u8]);
            serialize_none();
            serialize_unit();
            serialize_unit_struct(&'static str);
        }

        fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Self::Ok, Error> {
            Err(shape())
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: &T,
        ) -> Result<Self::Ok, Error> {
            Err(shape())
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<Self::Ok, Error> {
            Err(shape())
        }

        fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
            Err(shape())
        }

        fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
            Err(shape())
        }

        fn serialize_tuple_struct(
            self,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleStruct, Error> {
            Err(shape())
        }

        fn serialize_tuple_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleVariant, Error> {
            Err(shape())
        }

        fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
            Err(shape())
        }

        fn serialize_struct_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeStructVariant, Error> {
            Err(shape())
        }
    };
}

impl Serializer for Whole {
    type Ok = (String, Box<RawValue>);
    type SerializeStruct = Parts;
    refuse_all_but_names_and_structs!();

    fn serialize_str(self, _: &str) -> Result<Self::Ok, Error> {
        Err(shape())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<Self::Ok, Error> {
        Err(shape())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Error> {
        Ok(Parts::default())
    }
}

/// Takes the name of a variant.
struct Name;

impl Serializer for Name {
    type Ok = String;
    type SerializeStruct = Impossible<String, Error>;
    refuse_all_but_names_and_structs!();

    fn serialize_str(self, text: &str) -> Result<String, Error> {
        Ok(text.to_owned())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<String, Error> {
        Ok(name.to_owned())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        Err(shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(tag = "type", content = "data", rename_all = "snake_case")]
    enum Event {
        Opened,
        RoomHeld(u32),
        Moved { from: &'static str, to: Option<u8> },
        Pair(u8, u8),
    }

    #[test]
    fn it_takes_apart_what_serde_json_would_write() {
        for event in
            [Event::Opened, Event::RoomHeld(7), Event::Moved { from: "\"a\"", to: None }, Event::Pair(1, 2)]
        {
            let (tag, data) = tagged(&event).unwrap();
            let whole: serde_json::Value = serde_json::to_value(&event).unwrap();
            assert_eq!(whole["type"], tag.as_str());
            let data: serde_json::Value = serde_json::from_str(data.get()).unwrap();
            assert_eq!(whole.get("data").cloned().unwrap_or_default(), data);
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_it_must_be() {
        #[derive(Serialize)]
        enum Untagged {
            A(u8),
            B,
        }
        #[derive(Serialize)]
        struct Other {
            x: u8,
        }
        let says = |e: Option<Error>| e.is_some_and(|e| e.to_string().contains("tag = \"type\""));
        assert!(says(tagged(&Untagged::A(1)).err()));
        assert!(says(tagged(&Untagged::B).err()));
        assert!(says(tagged(&Other { x: 1 }).err()));
        assert!(says(tagged(&1).err()));
        assert!(says(tagged(&vec![1]).err()));
    }
}
