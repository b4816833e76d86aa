//! Sets of attributes, made once: the same few are wanted for every commit, and each made anew would be an allocation a value.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{PoisonError, RwLock},
};

use ::opentelemetry::{Key, KeyValue};

/// More sets than this are not kept: attributes that take few values never come to so many.
const MOST: usize = 4_096;

/// The sets that were wanted so far, by the hash of their texts.
#[derive(Default)]
pub(super) struct Sets(RwLock<BTreeMap<u64, Vec<KeyValue>>>);

impl Sets {
    /// Does this with the set of a service and what more is said.
    pub(super) fn with<V: AsRef<str>, R>(
        &self,
        service: &str,
        more: &[(&'static str, V)],
        work: impl FnOnce(&[KeyValue]) -> R,
    ) -> R {
        let hash = hash(service, more);
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // Two sets may have one hash.
        if let Some(set) = kept.get(&hash).filter(|set| is(set, service, more)) {
            return work(set);
        }
        drop(kept);
        let set = attributes(service, more);
        let done = work(&set);
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST {
            kept.entry(hash).or_insert(set);
        }
        done
    }
}

/// The set, made.
pub(super) fn attributes<V: AsRef<str>>(service: &str, more: &[(&'static str, V)]) -> Vec<KeyValue> {
    texts(service, more)
        .map(|(key, value)| KeyValue::new(Key::from_static_str(key), value.to_owned()))
        .collect()
}

fn texts<'a, V: AsRef<str>>(
    service: &'a str,
    more: &'a [(&'static str, V)],
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let more = more.iter().map(|(key, value)| (*key, value.as_ref()));
    std::iter::once(("service", service)).chain(more)
}

fn hash<V: AsRef<str>>(service: &str, more: &[(&'static str, V)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts(service, more).for_each(|text| text.hash(&mut hasher));
    hasher.finish()
}

fn is<V: AsRef<str>>(set: &[KeyValue], service: &str, more: &[(&'static str, V)]) -> bool {
    let said = |attribute: &KeyValue, (key, value): (&str, &str)| {
        attribute.key.as_str() == key && *attribute.value.as_str() == *value
    };
    set.len() == more.len() + 1 && set.iter().zip(texts(service, more)).all(|(of, text)| said(of, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(set: &[KeyValue]) -> Vec<String> {
        set.iter().map(|of| format!("{}={}", of.key, of.value)).collect()
    }

    #[test]
    fn the_same_texts_are_the_same_set() {
        let sets = Sets::default();
        for _ in 0..2 {
            let set = sets.with("hotel", &[("kind", "room"), ("outcome", "accepted")], shown);
            assert_eq!(set, ["service=hotel", "kind=room", "outcome=accepted"]);
            assert_eq!(sets.with::<&str, _>("hotel", &[], shown), ["service=hotel"]);
        }
        assert_eq!(sets.0.read().unwrap().len(), 2);
    }

    #[test]
    fn a_set_that_has_the_hash_of_another_one_is_made_by_itself() {
        let sets = Sets::default();
        let of = hash("hotel", &[("kind", "room")]);
        sets.0.write().unwrap().insert(of, attributes("flight", &[("kind", "seat")]));
        assert_eq!(sets.with("hotel", &[("kind", "room")], shown), ["service=hotel", "kind=room"]);
    }

    #[test]
    fn not_every_set_is_kept() {
        let sets = Sets::default();
        for n in 0..MOST + 10 {
            let value = n.to_string();
            assert_eq!(sets.with("hotel", &[("kind", &value)], <[KeyValue]>::len), 2);
        }
        assert_eq!(sets.0.read().unwrap().len(), MOST);
    }
}
