//! The same key gives the same answer, whoever asks, however often, at whatever time.

use std::{collections::BTreeMap, thread};

use crate::{
    run::Data,
    server::{Answer, Server, trip},
};

#[test]
fn a_hundred_posts_at_once_under_one_key_are_one_trip() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let posts: Vec<_> = (0..100).map(|_| scope.spawn(|| server.post("race", &trip("GBR")))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    let first = &answers[0];
    assert_eq!(first.status, 202, "{first:?}");
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (first.status, &first.body));
    }
    let id = first.body["id"].as_str().unwrap();
    assert_eq!(server.ended(id)["status"], "completed");

    // also when it has ended, and in another life of the server
    assert_eq!(server.post("race", &trip("GBR")).body, first.body);
    server.kill();
    let server = Server::start(data.folder(), &[]);
    let again = server.post("race", &trip("GBR"));
    assert_eq!((again.status, &again.body), (202, &first.body));
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let verified = data.good(&["verify"]);
    assert_eq!(
        (&verified["read_models"]["trip"], &verified["charges"]),
        (&1.into(), &1.into()),
        "{verified}"
    );
}

#[test]
fn of_different_trips_under_one_key_one_wins_and_the_others_are_refused() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let countries = ["GBR", "PRT", "ESP", "FRA"];
    let answers: Vec<(&str, Answer)> = thread::scope(|scope| {
        let (server, posts) = (&server, 0..40);
        let posts: Vec<_> = posts
            .map(|n| {
                let country = countries[n % 4];
                scope.spawn(move || (country, server.post("contested", &trip(country))))
            })
            .collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    let mut by_country: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    answers.iter().for_each(|(country, answer)| by_country.entry(country).or_default().push(answer));
    let won: Vec<_> = by_country.iter().filter(|(_, answers)| answers[0].status == 202).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for (country, answers) in &by_country {
        for answer in answers {
            assert_eq!((answer.status, &answer.body), (answers[0].status, &answers[0].body));
            if country != won[0].0 {
                answer.is(422, "key-reused");
                assert_eq!(answer.body["trip"], won[0].1[0].body["id"]);
            }
        }
    }
}

#[test]
fn a_confirmation_is_heard_once_however_often_it_is_said() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let accepted = server.post("a", &trip("GBR"));
    let id = accepted.body["id"].as_str().unwrap();
    let confirm = format!("/trips/{id}/confirm");
    let answers: Vec<Answer> = thread::scope(|scope| {
        let words: Vec<_> = (0..20).map(|_| scope.spawn(|| server.ask("POST", &confirm, &[], ""))).collect();
        words.into_iter().map(|word| word.join().unwrap()).collect()
    });
    let first_heard =
        |a: &&Answer| ["taken", "buffered"].contains(&a.body["outcome"].as_str().unwrap_or_default());
    assert_eq!(answers.iter().filter(first_heard).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|a| a.status == 202 || a.status == 409), "{answers:?}");
    assert_eq!(server.ended(id)["status"], "completed");
}
