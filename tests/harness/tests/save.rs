//! Saving and loading is the identity: a state that was saved and loaded in the middle of a stream, over
//! another number of lanes, goes on as if nothing had happened. Bytes that are no state are refused.

use plimsoll_engine::effect::Out;
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::{Engine, Saved, Sequential};
use plimsoll_tests::streams::Stream;
use plimsoll_wire::door::{CutEpoch, Door};

const STREAMS: u64 = 60;

fn epochs_of(stream: &Stream) -> (Engine, Vec<CutEpoch>) {
    let mut door = Door::new();
    // Some streams come with a policy that is refused; here they go by the default one.
    let policy = stream.policy.as_deref();
    let policy = policy.and_then(|text| plimsoll_wire::policy::from_toml(text, door.rules()).ok());
    let policy = policy.unwrap_or_default();
    let engine = Engine::new(&policy, door.rules().clone(), 1).expect("a valid policy");
    let mut epochs = Vec::new();
    for line in &stream.lines {
        epochs.extend(door.line(line.as_bytes()).expect("an object"));
    }
    epochs.extend(door.finish());
    (engine, epochs)
}

#[test]
fn a_loaded_state_goes_on_as_if_nothing_had_happened() {
    let mut compared = 0;
    for seed in 0..STREAMS {
        let (mut kept, epochs) = epochs_of(&Stream::of(seed));
        let (mut out, mut other) = (Out::default(), Out::default());
        let middle = epochs.len() * (seed as usize % 10) / 10;
        for cut in &epochs[..middle] {
            kept.step(&cut.epoch, &Sequential, &mut out);
        }
        let saved = kept.save();
        let mut loaded = Engine::load(&saved, 1 + seed as usize % 3, &Sequential).expect("a saved state");
        assert_eq!(loaded.save(), saved, "seed {seed}: saved twice");
        assert_eq!(loaded.state_hash(), kept.state_hash(), "seed {seed}");
        for cut in &epochs[middle..] {
            kept.step(&cut.epoch, &Sequential, &mut out);
            loaded.step(&cut.epoch, &Sequential, &mut other);
            assert_eq!(out, other, "seed {seed}, epoch {}", cut.epoch.number);
            compared += out.effects.len();
        }
        assert_eq!(loaded.state_hash(), kept.state_hash(), "seed {seed}");
        assert_eq!(loaded.save(), kept.save(), "seed {seed}");
    }
    assert!(compared > 1_000, "only {compared} effects were compared");
}

/// A state that was loaded had its rows seated against bands of nothing: every one of them was looked at by
/// every epoch, with the same effects, at the cost of a sweep.
#[test]
fn a_loaded_state_touches_as_few_rows_as_the_saved_one() {
    const ACCOUNTS: usize = 40;
    let line = |second: usize, kind: &str, rest: &str| {
        format!(
            r#"{{"v":1,"type":"{kind}","id":"{kind}-{second}","source":"s","at":"2026-01-19T10:{:02}:{:02}+08:00",{rest}}}"#,
            second / 60,
            second % 60
        )
    };
    let quote = |second: usize, price: &str| {
        line(second, "quote", &format!(r#""security":"600000.SH","price":"{price}""#))
    };
    let mut lines = vec![
        line(
            0,
            "security",
            r#""security":"600000.SH","name":"x","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.6""#,
        ),
        line(1, "day_start", r#""date":"2026-01-19""#),
        quote(2, "10"),
    ];
    for k in 0..ACCOUNTS {
        lines.push(line(
            3 + 2 * k,
            "account",
            &format!(r#""account":"A{k}","customer":"C{k}","client_class":"individual""#),
        ));
        lines.push(line(4 + 2 * k, "opening", &format!(
            r#""account":"A{k}","cash":"0","positions":[{{"security":"600000.SH","quantity":3000}}],"contracts":[{{"contract":"D{k}","side":"financing","security":"600000.SH","quantity":1000,"amount":"10000","opened":"2026-01-05"}}]"#
        )));
    }
    // Far from the lines, and by less than any band: nobody can have crossed.
    lines.extend([quote(100, "10.01"), quote(101, "10.02"), quote(102, "10.03")]);
    let mut door = Door::new();
    let mut epochs: Vec<CutEpoch> =
        lines.iter().filter_map(|line| door.line(line.as_bytes()).expect("an object")).collect();
    epochs.extend(door.finish());
    let mut kept = Engine::new(&PolicyDraft::default(), door.rules().clone(), 1).expect("a valid policy");
    let (before, after) = epochs.split_at(epochs.len() - 1);
    for cut in before {
        kept.step(&cut.epoch, &Sequential, &mut Out::default());
    }
    let mut loaded = Engine::load(&kept.save(), 2, &Sequential).expect("a saved state");
    for engine in [&mut kept, &mut loaded] {
        let stats = engine.step(&after[0].epoch, &Sequential, &mut Out::default());
        assert_eq!((stats.accounts, stats.looked), (ACCOUNTS as u64, 0), "{stats:?}");
    }
}

/// A save taken a few accounts at a time while epochs go on is the state as it was when it began; epochs
/// that change every account give it up.
#[test]
fn a_save_without_a_stop_is_the_state_as_it_was_when_it_began() {
    let (mut done, mut given_up, mut moved_on) = (0, 0, 0);
    for seed in 0..4 * STREAMS {
        let (mut engine, epochs) = epochs_of(&Stream::of(seed));
        let mut out = Out::default();
        let mut under_way: Option<(Vec<u8>, Vec<u8>)> = None;
        for (number, cut) in epochs.iter().enumerate() {
            engine.step(&cut.epoch, &Sequential, &mut out);
            let Some((expected, mut saved)) = under_way.take() else {
                if (number as u64 + seed).is_multiple_of(5) {
                    engine.save_begin();
                    under_way = Some((engine.save(), Vec::new()));
                }
                continue;
            };
            match engine.save_on(1 + (seed % 3) as u32, &mut saved) {
                Saved::More => under_way = Some((expected, saved)),
                Saved::GivenUp => given_up += 1,
                Saved::Done => {
                    assert!(saved == expected, "seed {seed}, epoch {}", cut.epoch.number);
                    done += 1;
                    moved_on += usize::from(engine.save() != expected);
                    assert_eq!(engine.save_on(1, &mut saved), Saved::GivenUp);
                }
            }
        }
    }
    println!("{done} saves done, {moved_on} of them of a state that had moved on; {given_up} given up");
    assert!(done > 300 && moved_on > 200 && given_up > 50, "{done}, {moved_on}, {given_up}");
}

#[test]
fn bytes_that_are_no_state_are_refused() {
    let (mut engine, epochs) = epochs_of(&Stream::of(3));
    for cut in &epochs {
        engine.step(&cut.epoch, &Sequential, &mut Out::default());
    }
    let saved = engine.save();
    for len in [0, 1, 7, 8, 9, saved.len() / 2, saved.len() - 1] {
        assert!(Engine::load(&saved[..len], 1, &Sequential).is_err(), "cut off at {len}");
    }
    let mut longer = saved.clone();
    longer.push(0);
    assert!(Engine::load(&longer, 1, &Sequential).is_err(), "a byte too many");
    let mut other_version = saved;
    other_version[7] ^= 1;
    assert!(Engine::load(&other_version, 1, &Sequential).is_err(), "another version");
}
