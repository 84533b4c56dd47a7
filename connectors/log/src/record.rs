//! The record of an epoch, and its bytes.
//!
//! Little endian: format, record, inputs, effects, link. Inputs and effects are NDJSON in frames of
//! zstd, each with its length before it. The link is the BLAKE3 of all bytes before it, and the record begins with the
//! link of the epoch before: one byte changed anywhere breaks the chain from there on.

use crate::pack::{Expander, Packed};

/// The format of an epoch's bytes.
pub(crate) const FORMAT: u32 = 1;

/// The BLAKE3 of an epoch's bytes, which stand for all epochs before it too.
pub type Link = [u8; 32];

/// Why an epoch ended where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The engine was idle and something waited.
    Idle,
    /// By the limits of an epoch: one price a security, so many events, events that stand alone.
    Limit,
}

/// What an epoch was decided by, besides its inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The code's.
    pub code: String,
    /// Digest of the policy, the tables and the calendar in force at its end.
    pub rules: [u8; 16],
}

/// What is recorded of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The link of the epoch before; zeros for the first.
    pub previous: Link,
    /// Its number, from 1, without a gap.
    pub number: u64,
    /// Its clock, microseconds UTC.
    pub clock_us: i64,
    /// Why it ended.
    pub cut: Cut,
    /// Events in it.
    pub inputs: u32,
    /// What decided it.
    pub versions: Versions,
    /// BLAKE3 of its effects' bytes.
    pub effects: [u8; 32],
    /// The state hash at its end, every so many epochs.
    pub state: Option<[u8; 32]>,
}

/// An epoch as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its record.
    pub record: Record,
    /// Its inputs as they came: lines of NDJSON.
    pub lines: Vec<u8>,
    /// Its effects as they left: lines of NDJSON.
    pub effects: Vec<u8>,
}

/// What is wrong with an epoch's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// They are not what was written.
    Damaged(&'static str),
    /// A newer version wrote them.
    Newer(u32),
}

const DAMAGED: Flaw = Flaw::Damaged("its bytes are not those that were written");

/// The longest inputs or effects of an epoch.
const LONGEST: usize = 1 << 30;

/// The bytes of an epoch, and its link.
///
/// # Panics
/// Where its inputs or effects exceed 1 GiB, which no epoch of 65 536 bounded lines does.
pub(crate) fn bytes(record: &Record, lines: &Packed, effects: &Packed) -> (Vec<u8>, Link) {
    let mut out = FORMAT.to_le_bytes().to_vec();
    record.put(&mut out);
    for packed in [lines, effects] {
        assert!(packed.len <= LONGEST, "an epoch exceeds 1 GiB");
        out.extend((packed.len as u32).to_le_bytes());
        out.extend((packed.frames.len() as u32).to_le_bytes());
        out.extend_from_slice(&packed.frames);
    }
    let link = *blake3::hash(&out).as_bytes();
    out.extend(link);
    (out, link)
}

/// The epoch that bytes hold, and its link.
pub(crate) fn epoch(bytes: &[u8], expander: &mut Expander) -> Result<(Epoch, Link), Flaw> {
    let (body, link) = bytes.split_last_chunk::<32>().ok_or(DAMAGED)?;
    let mut rest = body;
    let format = u32::from_le_bytes(*take(&mut rest)?);
    if format > FORMAT {
        return Err(Flaw::Newer(format));
    }
    if blake3::hash(body).as_bytes() != link {
        return Err(DAMAGED);
    }
    let record = Record::get(&mut rest)?;
    let lines = expanded(&mut rest, expander)?;
    let effects = expanded(&mut rest, expander)?;
    if !rest.is_empty() || *blake3::hash(&effects).as_bytes() != record.effects {
        return Err(DAMAGED);
    }
    Ok((Epoch { record, lines, effects }, *link))
}

fn expanded(rest: &mut &[u8], expander: &mut Expander) -> Result<Vec<u8>, Flaw> {
    let (len, packed) = (u32::from_le_bytes(*take(rest)?), u32::from_le_bytes(*take(rest)?));
    let (frames, after) = rest.split_at_checked(packed as usize).ok_or(DAMAGED)?;
    *rest = after;
    let len = len as usize;
    expander.lines(frames, len).filter(|_| len <= LONGEST).ok_or(DAMAGED)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Flaw> {
    let (head, tail) = rest.split_first_chunk().ok_or(DAMAGED)?;
    *rest = tail;
    Ok(head)
}

impl Record {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.previous);
        out.extend(self.number.to_le_bytes());
        out.extend(self.clock_us.to_le_bytes());
        out.push(self.cut as u8);
        out.extend(self.inputs.to_le_bytes());
        out.push(self.versions.code.len() as u8);
        out.extend(&self.versions.code.as_bytes()[..usize::from(self.versions.code.len() as u8)]);
        out.extend(self.versions.rules);
        out.extend(self.effects);
        out.push(u8::from(self.state.is_some()));
        out.extend(self.state.iter().flatten());
    }

    fn get(rest: &mut &[u8]) -> Result<Self, Flaw> {
        let previous = *take(rest)?;
        let number = u64::from_le_bytes(*take(rest)?);
        let clock_us = i64::from_le_bytes(*take(rest)?);
        let cut = match take(rest)? {
            [0] => Cut::Idle,
            [1] => Cut::Limit,
            _ => return Err(DAMAGED),
        };
        let inputs = u32::from_le_bytes(*take(rest)?);
        let &[len] = take(rest)?;
        let (code, after) = rest.split_at_checked(len.into()).ok_or(DAMAGED)?;
        *rest = after;
        let code = std::str::from_utf8(code).map_err(|_| DAMAGED)?.to_owned();
        let versions = Versions { code, rules: *take(rest)? };
        let effects = *take(rest)?;
        let state = match take(rest)? {
            [0] => None,
            [1] => Some(*take(rest)?),
            _ => return Err(DAMAGED),
        };
        Ok(Record { previous, number, clock_us, cut, inputs, versions, effects, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Packing;
    use proptest::prelude::*;

    fn written(lines: &[u8], effects: &[u8], state: Option<[u8; 32]>) -> Epoch {
        let record = Record {
            previous: [7; 32],
            number: 3,
            clock_us: -5,
            cut: Cut::Limit,
            inputs: 2,
            versions: Versions { code: "0.1.0".into(), rules: [9; 16] },
            effects: *blake3::hash(effects).as_bytes(),
            state,
        };
        Epoch { record, lines: lines.to_vec(), effects: effects.to_vec() }
    }

    fn bytes_of(epoch: &Epoch) -> (Vec<u8>, Link) {
        let mut packing = Packing::new();
        let lines = packing.packed(&epoch.lines);
        bytes(&epoch.record, &lines, &packing.packed(&epoch.effects))
    }

    proptest! {
        #[test]
        fn bytes_give_the_epoch_back(
            lines in proptest::collection::vec(any::<u8>(), 0..5000),
            effects in proptest::collection::vec(any::<u8>(), 0..500),
            state in proptest::option::of(any::<[u8; 32]>()),
        ) {
            let written = written(&lines, &effects, state);
            let (bytes, link) = bytes_of(&written);
            prop_assert_eq!(epoch(&bytes, &mut Expander::new()), Ok((written, link)));
        }
    }

    #[test]
    fn no_byte_can_be_changed_or_cut_off() {
        let mut expander = Expander::new();
        let (bytes, _) = bytes_of(&written(b"{\"v\":1}\n", b"", Some([1; 32])));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert!(epoch(&other, &mut expander).is_err(), "byte {at}, bit {bit}");
            }
            assert!(epoch(&bytes[..at], &mut expander).is_err(), "cut off at {at}");
        }
    }

    #[test]
    fn a_newer_format_says_so() {
        let (mut bytes, _) = bytes_of(&written(b"", b"", None));
        bytes[0] = 2;
        assert_eq!(epoch(&bytes, &mut Expander::new()), Err(Flaw::Newer(2)));
    }

    #[test]
    fn an_epoch_of_one_event_takes_less_than_half_its_line() {
        let line = br#"{"v":1,"type":"fill","id":"counter-0000000123","source":"counter","at":"2026-01-19T10:11:12.345+08:00","account":"A0012345","side":"margin_buy","security":"600519.SH","quantity":300,"price":"1480.0000","fee":"111.0000","contract":"C20260119-0000012","rate":"0.0650"}
"#;
        let (bytes, _) = bytes_of(&written(line, b"", None));
        assert!(bytes.len() < 2 * line.len() / 2 + 60, "{} of {}", bytes.len(), line.len());
    }
}
