//! Saving and loading the state, and its hash.
//!
//! The hash is a sum over accounts of a keyed hash of each account's canonical bytes, plus that of
//! the market and of what is shared: it does not depend on lanes, caches or the order of work.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::actions::PendingAction;
use crate::aside::{Aside, Part, Parts, Saving};
use crate::book::{Account, Contract, Counters, Extent, Extras, Holdings};
use crate::codec::{Codec, Corrupt, codec, get_all, put_all, split};
use crate::dedup::{Remembered, Source};
use crate::effect::{Acts, Tier};
use crate::engine::{Engine, Exec, Sequential};
use crate::input::{
    AccountName, ActionKind, Basis, Board, BranchName, Class, ClientClass, ContractName, ContractSide,
    CustomerName, Exchange, GroupName, IndexName, Line, LinesPatch, Order, OrderStatus, Receivable,
    SecurityName, SecurityRecord, Side, SourceName,
};
use crate::lane::{Changes, Lane, Standing};
use crate::market::{Market, Security, Stored, Tape};
use crate::num::{Date, Time};
use crate::policy::{
    CallTerms, CollateralSell, Costs, Lines, Policy, Release, RepayContract, RepayOrder, SuspendedMark,
};
use crate::rules::{BoardRow, CapCondition, CapRow, LinePresetRow, MinimumRow, RestrictionRow, Rules};

/// First bytes of a saved state: the format's name and version.
const HEADER: &[u8; 8] = b"PLIMST04";
/// Bytes after which a piece is given away.
const PIECE: usize = 1 << 20;
/// About as many bytes are an account's.
pub const BYTES_OF_AN_ACCOUNT: usize = 400;

codec!(newtype AccountName, BranchName, SecurityName, IndexName, GroupName, SourceName, CustomerName, ContractName, Date, Time, Acts);
codec!(words Class, Board, ClientClass, ContractSide, Side, OrderStatus, Basis, Tier, ActionKind, Exchange,
    SuspendedMark, RepayOrder, RepayContract, Release, CollateralSell);
codec!(Contract {
    quantity,
    amount,
    interest,
    name,
    security,
    rate,
    margin_ratio,
    opened,
    due,
    through,
    side
});
codec!(Receivable { amount, pay_date });
codec!(Order { order, side, security, price, status, remaining });
codec!(LinesPatch { lines, sale_floor, deadline_days, deadline_minute, call_basis, immediate_basis });
codec!(Extras { lines, orders, receivables });
codec!(Stored { price, set });
codec!(SecurityRecord {
    security,
    exchange,
    class,
    board,
    indices,
    risk_warning,
    delisting,
    suspended,
    suspended_since,
    collateral,
    haircut,
    financing_margin,
    short_margin,
    pe_static,
    group,
    tick,
    average_turnover
});
codec!(PendingAction { kind, pay_date, per_share, ratio, price, compensation });
codec!(Lines { at, band, inclusive });
codec!(Costs { commission, stamp_duty, transfer_fee, slippage, commission_minimum });
codec!(CallTerms { basis, immediate_basis, deadline_days, deadline_minute, sale_floor });
codec!(Policy {
    lines,
    call,
    costs,
    suspended,
    suspended_days,
    year_days,
    repay_order,
    repay_contract,
    release,
    collateral_sell,
    restrictions
});
codec!(CapRow { from, class, condition, cap });
codec!(MinimumRow { from, side, class, minimum, reprice });
codec!(RestrictionRow { preset, tier, refused });
codec!(LinePresetRow {
    preset,
    lines,
    sale_floor,
    deadline_days,
    deadline_minute,
    call_basis,
    immediate_basis,
    suspended_days,
    suspended
});
codec!(BoardRow { from, to, board, class, tick, limit, limit_st });
codec!(Rules { boards, caps, minimums, restrictions, line_presets });

/// An account with what its tier has come to, which the lane keeps apart.
fn put_account(account: &Account, standing: Standing, out: &mut Vec<u8>) {
    // Whether it has orders says who has them.
    let Account { cash, other, contracts, extras, customer, counters, class, suspect, ordering: _ } = account;
    let Standing { tier, restricted, changes } = standing;
    cash.put(out);
    other.put(out);
    contracts.put(out);
    extras.put(out);
    customer.put(out);
    [changes.tier_changed, changes.restricted, changes.lifted].iter().for_each(|count| count.put(out));
    [counters.suspect, counters.against_restriction].iter().for_each(|count| count.put(out));
    class.put(out);
    tier.put(out);
    restricted.put(out);
    suspect.put(out);
}

fn get_account(input: &mut &[u8]) -> Result<(Account, Standing), Corrupt> {
    let (cash, other, contracts) = (Codec::get(input)?, Codec::get(input)?, Codec::get(input)?);
    let (extras, customer) = (Codec::get(input)?, Codec::get(input)?);
    let [tier_changed, restricted, lifted] = [u32::get(input)?, u32::get(input)?, u32::get(input)?];
    let changes = Changes { tier_changed, restricted, lifted };
    let counters = Counters { suspect: Codec::get(input)?, against_restriction: Codec::get(input)? };
    let (class, tier) = (Codec::get(input)?, Codec::get(input)?);
    let (restricted, suspect) = (Codec::get(input)?, Codec::get(input)?);
    let ordering = false;
    let account = Account { cash, other, contracts, extras, customer, counters, class, suspect, ordering };
    Ok((account, Standing { tier, restricted, changes }))
}

/// A security with its tape, which the market keeps apart.
fn put_security(security: &Security, tape: &Tape, out: &mut Vec<u8>) {
    let Security { record, manual, suspended_from, levels_then, others, alarmed, alarms, haircut } = security;
    record.put(out);
    tape.last.put(out);
    tape.previous.put(out);
    manual.put(out);
    suspended_from.put(out);
    levels_then.put(out);
    tape.first.iter().chain(others).copied().collect::<Vec<_>>().put(out);
    alarmed.put(out);
    alarms.put(out);
    haircut.put(out);
}

fn get_security(input: &mut &[u8]) -> Result<(Security, Tape), Corrupt> {
    let (record, last, previous) = (Codec::get(input)?, Codec::get(input)?, Codec::get(input)?);
    let (manual, suspended_from, levels_then) = (Codec::get(input)?, Codec::get(input)?, Codec::get(input)?);
    let mut others: Vec<_> = Codec::get(input)?;
    let first = if others.is_empty() { None } else { Some(others.remove(0)) };
    let (alarmed, alarms, haircut) = (Codec::get(input)?, Codec::get(input)?, Codec::get(input)?);
    let security = Security { record, manual, suspended_from, levels_then, others, alarmed, alarms, haircut };
    let special = security.is_special();
    Ok((security, Tape { last, previous, first, special }))
}

impl Codec for Line {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Line::Absent => None,
            Line::At(bp) => Some(*bp),
        }
        .put(out);
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        Ok(Option::get(input)?.map_or(Line::Absent, Line::At))
    }
}

impl Codec for CapCondition {
    fn put(&self, out: &mut Vec<u8>) {
        let (tag, list): (u8, &[IndexName]) = match self {
            CapCondition::RiskWarningOrDelisting => (0, &[]),
            CapCondition::PriceEarnings => (1, &[]),
            CapCondition::BseIndex(list) => (2, list),
            CapCondition::Bse => (3, &[]),
            CapCondition::IndexIn(list) => (4, list),
            CapCondition::Other => (5, &[]),
            CapCondition::Always => (6, &[]),
        };
        tag.put(out);
        put_all(list.iter(), out);
    }
    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        let tag = u8::get(input)?;
        let list = get_all(input)?;
        Ok(match tag {
            0 => CapCondition::RiskWarningOrDelisting,
            1 => CapCondition::PriceEarnings,
            2 => CapCondition::BseIndex(list),
            3 => CapCondition::Bse,
            4 => CapCondition::IndexIn(list),
            5 => CapCondition::Other,
            6 => CapCondition::Always,
            _ => return Err(Corrupt),
        })
    }
}

impl Source {
    fn put(&self, out: &mut Parts) {
        self.highest.put(out.bytes());
        (self.ids.len() as u64).put(out.bytes());
        out.0.extend(self.ids.blocks.iter().cloned().map(Part::Ids));
        self.gaps.put(out.bytes());
        self.refusals.put(out.bytes());
        self.refused.put(out.bytes());
    }

    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        let highest = Codec::get(input)?;
        let len = usize::try_from(u64::get(input)?).map_err(|_| Corrupt)?;
        let mut ids = Remembered::with_capacity(len);
        for _ in 0..len {
            ids.insert(u128::get(input)?);
        }
        Ok(Source {
            highest,
            ids,
            gaps: Codec::get(input)?,
            refusals: Codec::get(input)?,
            refused: Codec::get(input)?,
        })
    }
}

impl Market {
    /// The market but for what is recomputed from it.
    fn put(&self, out: &mut Vec<u8>) {
        (self.securities.len() as u64).put(out);
        for (security, tape) in self.securities.iter().zip(&self.tapes) {
            let both = security.as_deref().zip(tape.as_ref());
            both.is_some().put(out);
            both.into_iter().for_each(|(security, tape)| put_security(security, tape, out));
        }
        self.listed.put(out);
        self.levels.put(out);
        self.levelled.put(out);
        self.actions.put(out);
        self.calendar.put(out);
        self.day_starts.put(out);
        self.last_day_end.put(out);
        self.clock.put(out);
        self.policy.put(out);
        self.rules.put(out);
        self.suspended.put(out);
    }

    fn get(input: &mut &[u8]) -> Result<Self, Corrupt> {
        let (mut securities, mut tapes) = (Vec::new(), Vec::new());
        for _ in 0..u64::get(input)? {
            let both = if bool::get(input)? { Some(get_security(input)?) } else { None };
            let (security, tape) = both.unzip();
            securities.push(security.map(Box::new));
            tapes.push(tape);
        }
        let listed = Codec::get(input)?;
        let levels = Codec::get(input)?;
        let levelled = Codec::get(input)?;
        let actions = Codec::get(input)?;
        let calendar = Codec::get(input)?;
        let day_starts = Codec::get(input)?;
        let last_day_end = Codec::get(input)?;
        let clock = Codec::get(input)?;
        let mut market = Market::new(Codec::get(input)?, Codec::get(input)?);
        market.suspended = Codec::get(input)?;
        market.listed = listed;
        market.levels = levels;
        market.levelled = levelled;
        market.actions = actions;
        market.calendar = calendar;
        market.day_starts = day_starts;
        market.last_day_end = last_day_end;
        market.clock = clock;
        (market.securities, market.tapes) = (securities, tapes);
        market.restore();
        Ok(market)
    }
}

/// A sum of keyed hashes: the same for any order of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateHash(pub [u64; 4]);

impl StateHash {
    /// Keys apart what is summed.
    const KEY: &'static [u8; 32] = b"plimsoll state hash, version 1..";

    fn add(&mut self, bytes: &[u8]) {
        let hash = blake3::keyed_hash(Self::KEY, bytes);
        let mut words = [0; 4];
        for (word, eight) in words.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
            let mut le = [0; 8];
            le.copy_from_slice(eight);
            *word = u64::from_le_bytes(le);
        }
        self.add_hash(&StateHash(words));
    }

    fn add_hash(&mut self, other: &StateHash) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, word)| *sum = sum.wrapping_add(word));
    }
}

impl std::fmt::Display for StateHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

/// How far a save without a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// There are more accounts.
    More,
    /// That was all.
    Done,
    /// None is under way: it was never begun, or an epoch changed every account (a day, a policy).
    GivenUp,
}

impl Holdings {
    /// Gets the holdings of one more account, as [`Lane::put_account`] puts them.
    fn get(&mut self, input: &mut &[u8]) -> Result<Extent, Corrupt> {
        let (start, len) = (self.securities.len() as u32, u64::get(input)?);
        for _ in 0..len {
            self.securities.push(Codec::get(input)?);
        }
        if u64::get(input)? != len {
            return Err(Corrupt);
        }
        for _ in 0..len {
            self.quantities.push(Codec::get(input)?);
        }
        Ok(Extent { start, len: len as u32, cap: len as u32 })
    }
}

impl Lane {
    /// Takes its own accounts out of all that were saved.
    fn load(
        &mut self,
        (mut input, accounts): (&[u8], u32),
        lanes: usize,
        market: &Market,
    ) -> Result<(), Corrupt> {
        self.columns.lay_all_bands(market);
        // No account takes fewer bytes than its length.
        self.reserve((accounts as usize).min(input.len() / size_of::<u32>()).div_ceil(lanes));
        for ordinal in 0..accounts {
            let len = u32::get(&mut input)? as usize;
            let mut bytes = split(&mut input, len)?;
            if self.owns(ordinal, lanes) {
                let name = Codec::get(&mut bytes)?;
                let (account, standing) = get_account(&mut bytes)?;
                let extent = self.holdings.get(&mut bytes)?;
                let branch = Codec::get(&mut bytes)?;
                if !bytes.is_empty() {
                    return Err(Corrupt);
                }
                self.restore(name, (account, branch, standing), extent, market);
            }
        }
        if input.is_empty() { Ok(()) } else { Err(Corrupt) }
    }

    /// An account in a saved state: its length first, so that every lane finds its own.
    fn put_saved(&self, i: usize, market: &Market, out: &mut Vec<u8>) {
        let start = out.len();
        0_u32.put(out);
        self.put_account(i, market, out);
        self.branches[i].put(out);
        let len = (out.len() - start - size_of::<u32>()) as u32;
        out[start..start + size_of::<u32>()].copy_from_slice(&len.to_le_bytes());
    }

    /// Puts an account aside that is about to change, where a save under way has still to come to it.
    pub(crate) fn put_aside(&mut self, i: usize, market: &Market) {
        let account = i as u32;
        if self.aside.as_ref().is_some_and(|aside| aside.wants(account)) {
            let mut image = Vec::new();
            self.put_saved(i, market, &mut image);
            self.aside.iter_mut().for_each(|aside| {
                aside.images.insert(account, std::mem::take(&mut image));
            });
        }
    }

    /// The canonical bytes of one account: name, books, holdings in order of entry.
    fn put_account(&self, i: usize, market: &Market, out: &mut Vec<u8>) {
        self.hot[i].name.put(out);
        put_account(&self.accrued_account(i, market), self.standing(i), out);
        let (securities, quantities) = self.holdings.of(self.hot[i].extent);
        put_all(securities.iter(), out);
        put_all(quantities.iter(), out);
    }
}

impl Engine {
    /// The hash of the whole state.
    #[must_use]
    pub fn state_hash(&self) -> StateHash {
        self.state_hash_by(&Sequential)
    }

    /// [`Engine::state_hash`], the lanes by an executor.
    pub fn state_hash_by(&self, exec: &impl Exec) -> StateHash {
        let of_lane = |lane: &Lane| {
            let (mut hash, mut bytes) = (StateHash::default(), Vec::new());
            for i in 0..lane.accounts.len() {
                bytes.clear();
                lane.put_account(i, &self.market, &mut bytes);
                hash.add(&bytes);
            }
            hash
        };
        let mut hash = StateHash::default();
        exec.ask(&self.lanes, &of_lane).iter().for_each(|of_lane| hash.add_hash(of_lane));
        let (mut bytes, mut parts) = (Vec::new(), Parts::default());
        self.market.put(&mut bytes);
        self.ordinals.put(&mut bytes);
        self.put_rest(&mut parts);
        while parts.put_next(&mut bytes) {}
        hash.add(&bytes);
        hash
    }

    /// A digest of what decides besides inputs and books: the policy, the tables and the calendar.
    #[must_use]
    pub fn decided_by(&self) -> [u8; 16] {
        let mut bytes = Vec::new();
        self.market.policy.put(&mut bytes);
        self.market.rules.put(&mut bytes);
        self.market.calendar.put(&mut bytes);
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        digest
    }

    /// What is no account's own, but for the market.
    fn put_rest(&self, out: &mut Parts) {
        (self.sources.len() as u64).put(out.bytes());
        self.sources.iter().chain([&self.nameless]).for_each(|source| source.put(out));
        self.waiting.put(out.bytes());
        self.epoch.put(out.bytes());
    }

    /// The whole state as bytes, the same for any number of lanes.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.save_to(|bytes| out.extend_from_slice(bytes));
        out
    }

    /// The bytes of [`Engine::save`], piece by piece.
    pub fn save_to(&self, mut sink: impl FnMut(&[u8])) {
        let (mut bytes, mut parts) = (Vec::new(), self.begun());
        let mut full = |bytes: &mut Vec<u8>| {
            if bytes.len() >= PIECE {
                sink(bytes);
                bytes.clear();
            }
        };
        while parts.put_next(&mut bytes) {
            full(&mut bytes);
        }
        for ordinal in 0..self.accounts {
            let (lane, i) = self.place(ordinal);
            self.lanes[lane].put_saved(i, &self.market, &mut bytes);
            full(&mut bytes);
        }
        sink(&bytes);
    }

    /// What of a saved state comes before the accounts: what is no account's own.
    fn begun(&self) -> Parts {
        let mut parts = Parts::default();
        parts.bytes().extend_from_slice(HEADER);
        self.market.put(parts.bytes());
        self.put_rest(&mut parts);
        self.accounts.put(parts.bytes());
        parts
    }

    /// Begins to save the state as it is now, without a stop. Its bytes come by [`Engine::save_on`], between
    /// the steps that follow; from here on an account is put aside as it was before anything changes it. A
    /// save that was under way is given up.
    pub fn save_begin(&mut self) {
        let accounts = self.accounts;
        self.saving = Some(Saving { parts: self.begun(), next: 0, accounts });
        let lanes = self.lanes.len() as u32;
        for (number, lane) in (0..lanes).zip(&mut self.lanes) {
            lane.aside = Some(Aside::of((accounts + lanes - 1 - number) / lanes));
        }
    }

    /// Adds the bytes of the next accounts, as they were when the save began, and before the first of them
    /// those of all else, about as many at a time: in all they are what [`Engine::save`] would have given
    /// then.
    pub fn save_on(&mut self, accounts: u32, out: &mut Vec<u8>) -> Saved {
        let Some(saving) = &mut self.saving else { return Saved::GivenUp };
        let most = out.len() + accounts as usize * BYTES_OF_AN_ACCOUNT;
        while saving.parts.put_next(out) {
            if out.len() >= most {
                return Saved::More;
            }
        }
        let (next, all) = (saving.next, saving.accounts);
        let until = all.min(next.saturating_add(accounts));
        for ordinal in next..until {
            let (lane, i) = self.place(ordinal);
            let lane = &mut self.lanes[lane];
            let image = lane.aside.as_mut().and_then(|aside| {
                aside.from = i as u32 + 1;
                aside.images.remove(&(i as u32))
            });
            match image {
                Some(image) => out.extend_from_slice(&image),
                None => lane.put_saved(i, &self.market, out),
            }
        }
        if until == all {
            self.give_up_saving();
            return Saved::Done;
        }
        if let Some(saving) = &mut self.saving {
            saving.next = until;
        }
        Saved::More
    }

    /// An epoch is about to change every account: what was saved so far counts for nothing.
    pub(crate) fn give_up_saving(&mut self) {
        self.saving = None;
        self.lanes.iter_mut().for_each(|lane| lane.aside = None);
    }

    /// The state that [`Engine::save`] gave, over a number of lanes, each reading its own accounts.
    ///
    /// # Errors
    /// [`Corrupt`] where the bytes are no saved state of this version.
    pub fn load(bytes: &[u8], lanes: usize, exec: &impl Exec) -> Result<Self, Corrupt> {
        let mut rest = bytes.strip_prefix(HEADER).ok_or(Corrupt)?;
        let input = &mut rest;
        let market = Market::get(input)?;
        let sources = (0..u64::get(input)?).map(|_| Source::get(input)).collect::<Result<_, _>>()?;
        let nameless = Source::get(input)?;
        let (waiting, epoch, accounts) = (Codec::get(input)?, Codec::get(input)?, Codec::get(input)?);
        let (lanes, ordinals, saving) = (Lane::several(lanes), Vec::new(), None);
        let mut engine =
            Engine { market, lanes, ordinals, accounts, sources, waiting, epoch, nameless, saving };
        let (of, market, corrupt) = (engine.lanes.len(), &engine.market, AtomicBool::new(false));
        exec.run(&mut engine.lanes, &|lane| {
            if lane.load((rest, accounts), of, market).is_err() {
                corrupt.store(true, Ordering::Relaxed);
            }
        });
        if corrupt.into_inner() {
            return Err(Corrupt);
        }
        // The names are in the accounts, in their order.
        for ordinal in 0..accounts {
            let (lane, i) = engine.place(ordinal);
            engine.name(engine.lanes[lane].hot[i].name, ordinal);
        }
        Ok(engine)
    }
}
