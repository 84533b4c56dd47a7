//! Saving and loading is the identity: a state that was saved and loaded in the middle of a stream, over
//! another number of lanes, goes on as if nothing had happened. Bytes that are no state are refused.

use plimsoll_engine::effect::Out;
use plimsoll_engine::policy::PolicyDraft;
use plimsoll_engine::{Engine, Sequential};
use plimsoll_tests::streams::Stream;
use plimsoll_wire::door::{CutEpoch, Door};

const STREAMS: u64 = 60;

fn epochs_of(stream: &Stream) -> (Engine, Vec<CutEpoch>) {
    let mut door = Door::new();
    let policy = stream.policy.as_deref().map_or(PolicyDraft::default(), |text| {
        plimsoll_wire::policy::from_toml(text, door.rules()).expect("a valid policy")
    });
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
