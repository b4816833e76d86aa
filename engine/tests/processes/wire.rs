//! The golden files of what clients and owners write for each other: each is read, and written again as it was.

use palinode::remote::{AnswerRecord, CallRecord, WatchRecord, word};

fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.is_empty())
}

#[test]
fn every_golden_record_is_read_and_written_again_as_it_was() {
    let files = [
        include_str!("golden/call.json"),
        include_str!("golden/watch.json"),
        include_str!("golden/answer.json"),
    ];
    let mut seen = Vec::new();
    for line in files.into_iter().flat_map(lines) {
        let bytes = line.as_bytes();
        let again = match word(bytes).as_deref() {
            Some("call") => serde_json::from_slice::<CallRecord>(bytes).unwrap().encode(),
            Some("watch") => serde_json::from_slice::<WatchRecord>(bytes).unwrap().encode(),
            Some("answer") => AnswerRecord::decode(bytes).unwrap().encode(),
            other => panic!("{other:?}"),
        };
        assert_eq!(String::from_utf8(again.unwrap()).unwrap(), line);
        seen.push(word(bytes).unwrap().into_owned());
    }
    let count = |word: &str| seen.iter().filter(|seen| *seen == word).count();
    assert_eq!((count("call"), count("watch"), count("answer")), (2, 1, 12));
}
