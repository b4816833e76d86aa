//! Journals of sagas: sound ones are clean, counted, and listed while they are under way; each rule has journals that
//! break it and nothing else.

mod back;
mod effects;
mod ends;
mod entries;
mod forward;
mod person;
mod wakes;
