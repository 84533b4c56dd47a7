//! From a record to an input of the core, or the first refusal by precedence.
//!
//! Everything is judged before any name is given an ordinal: an event that is refused here leaves
//! no trace in the names.

use crate::envelope::{Envelope, Number};
use crate::fields::{
    ACCOUNT, CALENDAR, CASH, CONTRACT, CORPORATE_ACTION, DAY_END, DAY_START, EXTEND, FILL, INDEX, INTEREST,
    Kind, LATER, LINES, MARK, OPENING, ORDER, OTHER_COLLATERAL, POLICY, POSITION, QUOTE, RECEIVABLE, REPAY,
    RULES, SECURITY, TRANSFER, Table, Type,
};
use crate::names::Names;
use crate::read::{Refused, Slots};
use crate::value::{Fields, Value};
use crate::{policy, read, rules};
use plimsoll_engine::input::{
    AccountInput, AccountName, ActionKind, Basis, Board, BranchName, CashReason, Class, ClientClass, Code,
    ContractName, ContractSide, CorporateAction, CustomerName, Exchange, Fill, GroupName, IndexName, Input,
    InterestKind, LinesPatch, NamedContract, Opening, OpeningContract, Order, OrderStatus, Owner, Phase,
    Quote, Receivable, Repayment, SecurityName, SecurityRecord, Side,
};
use plimsoll_engine::num::Date;

/// The name of a contract in a fill whose side reads none.
pub const NO_CONTRACT: ContractName = ContractName(u32::MAX);

/// The place of a field, found when compiling.
macro_rules! at {
    ($table:ident, $name:literal) => {
        const { $table.at($name) }
    };
}

/// Decodes the body of an event whose envelope is readable and of our version.
///
/// # Errors
/// The first refusal by precedence, from `unknown_type` to `bad_value`.
pub fn decode(names: &mut Names, envelope: &Envelope<'_>, fields: &Fields<'_>) -> Result<Input, Refused> {
    let word = envelope.kind.unwrap_or_default();
    let Some(kind) = Type::parse(word) else { return Err(no_such_type(word)) };
    let mut slots = Slots::default();
    judged(kind, envelope, fields, &mut slots)?;
    let of_account = |names: &Names, input| {
        let account = slots.text(0).and_then(|name| names.find_account(name));
        Ok(Input::OfAccount(account, input))
    };
    match kind {
        Type::Quote => {
            let security = named(names, &slots, at!(QUOTE, "security"));
            Ok(Input::Quote(quote(security, |at| slots.number(at))))
        }
        Type::Security => Ok(security(names, &slots)),
        Type::Index => {
            let index = names.indices.intern(slots.text(at!(INDEX, "index")).unwrap_or_default());
            Ok(Input::Index(IndexName(index), slots.or_zero(at!(INDEX, "level"))))
        }
        Type::Mark => {
            Ok(Input::Mark(named(names, &slots, at!(MARK, "security")), slots.number(at!(MARK, "price"))))
        }
        Type::CorporateAction => Ok(corporate_action(names, &slots)),
        Type::Account => Ok(account(names, &slots)),
        Type::Lines => of_account(names, lines(&slots)),
        Type::Opening => {
            let input = opening(names, &slots)?;
            of_account(names, input)
        }
        Type::Cash => of_account(names, cash(&slots)?),
        Type::Transfer => of_account(names, transfer(names, &slots)?),
        Type::Fill => {
            let input = fill(names, &slots, envelope);
            of_account(names, input)
        }
        Type::Repay => of_account(names, repay(names, &slots)?),
        Type::Interest => of_account(names, interest(names, &slots)?),
        Type::Extend => of_account(names, extend(names, &slots)),
        Type::Order => of_account(names, order(names, &slots)?),
        Type::OtherCollateral => {
            of_account(names, AccountInput::OtherCollateral(slots.or_zero(at!(OTHER_COLLATERAL, "value"))))
        }
        Type::DayStart => Ok(Input::DayStart(day(&slots, at!(DAY_START, "date")))),
        Type::DayEnd => Ok(Input::DayEnd(day(&slots, at!(DAY_END, "date")))),
        Type::Clock => Ok(Input::Clock),
        Type::Policy => policy_input(&slots),
        Type::Rules => rules_input(names, &slots),
        Type::Calendar => calendar(&slots),
    }
}

/// The account a refused fact names, where it is known.
#[must_use]
pub fn fact_of(names: &Names, envelope: &Envelope<'_>, fields: &Fields<'_>) -> Option<AccountName> {
    Type::parse(envelope.kind?).filter(|kind| kind.is_fact())?;
    match fields.iter().find(|(name, _)| name == "account")? {
        (_, Value::Text(name)) => names.find_account(name),
        _ => None,
    }
}

#[cold]
fn no_such_type(word: &str) -> Refused {
    if LATER.contains(&word) {
        Refused { code: Code::NotEnabled, detail: format!("{word} comes with a later feature") }
    } else {
        Refused { code: Code::UnknownType, detail: format!("unknown type {word:?}") }
    }
}

/// The three passes of [`crate::read`] over an event and the objects in it.
fn judged<'v, 'a>(
    kind: Type,
    envelope: &Envelope<'_>,
    fields: &'v Fields<'a>,
    slots: &mut Slots<'v, 'a>,
) -> Result<(), Refused> {
    let table = kind.table();
    slots.sort(table, fields, envelope.positions).map_err(Refused::unknown)?;
    let nested_missing = nested(table, slots)?;
    let needed = if kind == Type::CorporateAction { action_needs(slots) } else { &[] };
    let name = |&at: &usize| table.fields[at].name;
    let needed_missing = needed.iter().find(|&&at| !slots.stands(at)).map(name);
    if let Some(name) = slots.missing(table).or(nested_missing).or(needed_missing) {
        return Err(Refused::missing(name));
    }
    if envelope.number == Number::Bad {
        return Err(Refused::bad("source_seq", "no integer from 0 to 2^63 - 1"));
    }
    slots.judge(table)?;
    if let Some(name) = needed.iter().find(|&&at| slots.number(at).is_none()).map(name) {
        return Err(Refused::bad(name, "null"));
    }
    Ok(())
}

/// The first field missing in a nested object; an unknown one anywhere refuses at once.
fn nested(table: &Table, slots: &Slots<'_, '_>) -> Result<Option<&'static str>, Refused> {
    let mut missing = None;
    for (at, field) in table.fields.iter().enumerate() {
        let Kind::Objects(inner) = field.kind else { continue };
        let mut last: Option<&Fields<'_>> = None;
        for element in slots.list(at) {
            let Value::Object(fields) = element else { continue };
            if last.replace(fields).is_some_and(|last| read::same_names(last, fields)) {
                continue;
            }
            let absent = read::missing(inner, fields).map_err(Refused::unknown)?;
            missing = missing.or(absent);
        }
    }
    Ok(missing)
}

/// The fields that a corporate action's kind needs, which count as required. Those it has no use
/// for are ignored, whatever they hold.
fn action_needs(slots: &mut Slots<'_, '_>) -> &'static [usize] {
    const PER_SHARE: usize = CORPORATE_ACTION.at("per_share");
    const RATIO: usize = CORPORATE_ACTION.at("ratio");
    const PRICE: usize = CORPORATE_ACTION.at("price");
    const COMPENSATION: usize = CORPORATE_ACTION.at("compensation");
    let kind = slots.text(at!(CORPORATE_ACTION, "kind")).and_then(ActionKind::parse);
    let (needed, ignored): (&[usize], &[usize]) = match kind {
        Some(ActionKind::CashDividend) => (&[PER_SHARE], &[RATIO, PRICE, COMPENSATION]),
        Some(ActionKind::Bonus | ActionKind::Split) => (&[RATIO], &[PER_SHARE, PRICE, COMPENSATION]),
        Some(ActionKind::Rights) => (&[RATIO, PRICE], &[PER_SHARE]),
        None => (&[], &[]),
    };
    for &at in ignored {
        slots.drop(at);
    }
    needed
}

fn named(names: &Names, slots: &Slots<'_, '_>, at: usize) -> Option<SecurityName> {
    slots.text(at).and_then(|name| names.find_security(name))
}

fn contract(names: &Names, slots: &Slots<'_, '_>, at: usize) -> Option<ContractName> {
    slots.text(at).and_then(|name| names.find_contract(name))
}

fn day(slots: &Slots<'_, '_>, at: usize) -> Date {
    Date(slots.or_zero(at) as i32)
}

fn small(slots: &Slots<'_, '_>, at: usize) -> Option<u32> {
    slots.number(at).map(|number| number as u32)
}

fn word<T: Copy>(slots: &Slots<'_, '_>, at: usize, all: &[T]) -> T {
    all[slots.or_zero(at) as usize]
}

/// A quote of the numbers of its fields, in the order of their table.
pub(crate) fn quote(security: Option<SecurityName>, number: impl Fn(usize) -> Option<i64>) -> Quote {
    let price = |at: usize| number(at).unwrap_or_default() as u32;
    Quote {
        security,
        price: number(at!(QUOTE, "price")).map(|price| price as u32),
        prev_close: price(at!(QUOTE, "prev_close")),
        bid1: price(at!(QUOTE, "bid1")),
        ask1: price(at!(QUOTE, "ask1")),
        limit_up: price(at!(QUOTE, "limit_up")),
        limit_down: price(at!(QUOTE, "limit_down")),
        phase: number(at!(QUOTE, "phase")).map_or(Phase::Continuous, |at| Phase::ALL[at as usize]),
    }
}

fn security(names: &mut Names, slots: &Slots<'_, '_>) -> Input {
    const EXCHANGES: [Exchange; 4] = [Exchange::Sh, Exchange::Sz, Exchange::Bj, Exchange::Foreign];
    let code = slots.text(at!(SECURITY, "security")).unwrap_or_default();
    let indices = slots.list(at!(SECURITY, "indices")).iter().filter_map(|value| match value {
        Value::Text(name) => Some(IndexName(names.indices.intern(name))),
        _ => None,
    });
    Input::Security(Box::new(SecurityRecord {
        indices: indices.collect(),
        security: SecurityName(names.securities.intern(code)),
        exchange: word(slots, at!(SECURITY, "security"), &EXCHANGES),
        class: word(slots, at!(SECURITY, "class"), Class::ALL),
        board: word(slots, at!(SECURITY, "board"), Board::ALL),
        risk_warning: slots.is_set(at!(SECURITY, "risk_warning")),
        delisting: slots.is_set(at!(SECURITY, "delisting")),
        suspended: slots.is_set(at!(SECURITY, "suspended")),
        suspended_since: slots.date(at!(SECURITY, "suspended_since")),
        collateral: slots.is_set(at!(SECURITY, "collateral")),
        haircut: slots.or_zero(at!(SECURITY, "haircut")) as u32,
        financing_margin: small(slots, at!(SECURITY, "financing_margin")),
        short_margin: small(slots, at!(SECURITY, "short_margin")),
        pe_static: slots.number(at!(SECURITY, "pe_static")),
        group: slots.text(at!(SECURITY, "group")).map(|group| GroupName(names.groups.intern(group))),
        tick: slots.number(at!(SECURITY, "tick")).filter(|&tick| tick > 0),
        average_turnover: slots.number(at!(SECURITY, "average_turnover")),
    }))
}

fn corporate_action(names: &Names, slots: &Slots<'_, '_>) -> Input {
    Input::CorporateAction(Box::new(CorporateAction {
        security: named(names, slots, at!(CORPORATE_ACTION, "security")),
        kind: word(slots, at!(CORPORATE_ACTION, "kind"), ActionKind::ALL),
        ex_date: day(slots, at!(CORPORATE_ACTION, "ex_date")),
        pay_date: slots.date(at!(CORPORATE_ACTION, "pay_date")),
        per_share: slots.or_zero(at!(CORPORATE_ACTION, "per_share")),
        ratio: slots.or_zero(at!(CORPORATE_ACTION, "ratio")),
        price: slots.or_zero(at!(CORPORATE_ACTION, "price")),
        compensation: slots.number(at!(CORPORATE_ACTION, "compensation")),
    }))
}

fn account(names: &mut Names, slots: &Slots<'_, '_>) -> Input {
    let text = |at: usize| slots.text(at).unwrap_or_default();
    Input::Account {
        account: AccountName(names.accounts.intern(text(at!(ACCOUNT, "account")))),
        owner: Owner {
            customer: CustomerName(names.customers.intern(text(at!(ACCOUNT, "customer")))),
            class: word(slots, at!(ACCOUNT, "client_class"), ClientClass::ALL),
            branch: slots.text(at!(ACCOUNT, "branch")).map(|name| BranchName(names.branches.intern(name))),
        },
    }
}

fn lines(slots: &Slots<'_, '_>) -> AccountInput {
    const FIRST: usize = LINES.at("free");
    let mut patch = LinesPatch::default();
    for (at, line) in patch.lines.iter_mut().enumerate() {
        *line = slots.number(FIRST + at).map(policy::line_of_number);
    }
    patch.sale_floor = slots.number(at!(LINES, "sale_floor")).map(|at| at == 1);
    patch.deadline_days = small(slots, at!(LINES, "deadline_days"));
    patch.deadline_minute = small(slots, at!(LINES, "deadline_time"));
    patch.call_basis = slots.number(at!(LINES, "call_basis")).map(|at| Basis::ALL[at as usize]);
    patch.immediate_basis = slots.number(at!(LINES, "immediate_basis")).map(|at| Basis::ALL[at as usize]);
    AccountInput::Lines(Box::new(patch), slots.date(at!(LINES, "valid_from")))
}

fn opening(names: &mut Names, slots: &Slots<'_, '_>) -> Result<AccountInput, Refused> {
    let held = slots.list(at!(OPENING, "positions"));
    let mut positions = Vec::with_capacity(held.len());
    let mut balance = Balance { held: Vec::with_capacity(held.len()), ..Balance::default() };
    let mut inner = Slots::default();
    for element in held {
        inner.read(&POSITION, element)?;
        let code = inner.text(at!(POSITION, "security")).unwrap_or_default();
        let quantity = inner.or_zero(at!(POSITION, "quantity"));
        balance.held.push((code, quantity));
        positions.push((names.find_security(code), quantity));
    }
    let owed = slots.list(at!(OPENING, "contracts"));
    let mut contracts = Vec::with_capacity(owed.len());
    for element in owed {
        inner.read(&CONTRACT, element)?;
        contracts.push(opening_contract(names, &inner, &mut balance));
    }
    let receivables = receivables(slots)?;
    balance.check()?;
    for (contract, name) in contracts.iter_mut().zip(&balance.contracts) {
        contract.contract = ContractName(names.contracts.intern(name));
    }
    Ok(AccountInput::Opening(Box::new(Opening {
        cash: slots.or_zero(at!(OPENING, "cash")),
        positions,
        contracts,
        other_collateral: slots.or_zero(at!(OPENING, "other_collateral")),
        receivables,
    })))
}

/// A contract of an opening, its name still to be given an ordinal.
fn opening_contract<'v>(names: &Names, slots: &Slots<'v, '_>, balance: &mut Balance<'v>) -> OpeningContract {
    let code = slots.text(at!(CONTRACT, "security")).unwrap_or_default();
    let side = word(slots, at!(CONTRACT, "side"), ContractSide::ALL);
    let quantity = slots.or_zero(at!(CONTRACT, "quantity"));
    if side == ContractSide::Financing && quantity > 0 {
        balance.tied.push((code, quantity));
    }
    balance.contracts.push(slots.text(at!(CONTRACT, "contract")).unwrap_or_default());
    OpeningContract {
        contract: NO_CONTRACT,
        side,
        security: names.find_security(code),
        quantity,
        amount: slots.or_zero(at!(CONTRACT, "amount")),
        interest: slots.or_zero(at!(CONTRACT, "interest")),
        rate: slots.or_zero(at!(CONTRACT, "rate")) as u32,
        opened: day(slots, at!(CONTRACT, "opened")),
        due: slots.date(at!(CONTRACT, "due")),
        margin_ratio: small(slots, at!(CONTRACT, "margin_ratio")),
    }
}

fn receivables(slots: &Slots<'_, '_>) -> Result<Option<Vec<Receivable>>, Refused> {
    if slots.number(at!(OPENING, "receivables")).is_none() {
        return Ok(None);
    }
    let mut inner = Slots::default();
    let receivable = |element| {
        inner.read(&RECEIVABLE, element)?;
        Ok(Receivable {
            amount: i128::from(inner.or_zero(at!(RECEIVABLE, "amount"))),
            pay_date: inner.date(at!(RECEIVABLE, "pay_date")),
        })
    };
    slots.list(at!(OPENING, "receivables")).iter().map(receivable).collect::<Result<_, _>>().map(Some)
}

/// What an opening must not contradict itself in.
#[derive(Default)]
struct Balance<'v> {
    held: Vec<(&'v str, i64)>,
    tied: Vec<(&'v str, i64)>,
    contracts: Vec<&'v str>,
}

impl Balance<'_> {
    fn check(&mut self) -> Result<(), Refused> {
        self.held.sort_unstable();
        if self.held.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Refused::bad("positions", "a security twice"));
        }
        for (code, quantity) in &self.tied {
            let position = self.held.binary_search_by_key(code, |(held, _)| held);
            let Ok(position) = position else { return Err(tied_above()) };
            // What is left of the position after this contract; quantities cannot overflow it.
            self.held[position].1 -= quantity;
            if self.held[position].1 < 0 {
                return Err(tied_above());
            }
        }
        let twice = |contracts: &mut Vec<&str>| {
            contracts.sort_unstable();
            contracts.windows(2).any(|pair| pair[0] == pair[1])
        };
        if self.contracts.len() > 1 && twice(&mut self.contracts.clone()) {
            return Err(Refused::bad("contracts", "a contract twice"));
        }
        Ok(())
    }
}

#[cold]
fn tied_above() -> Refused {
    Refused::bad("contracts", "more shares tied than held")
}

fn cash(slots: &Slots<'_, '_>) -> Result<AccountInput, Refused> {
    let amount = slots.or_zero(at!(CASH, "amount"));
    let reason = word(slots, at!(CASH, "reason"), CashReason::ALL);
    let wrong = match reason {
        CashReason::Deposit => amount < 0,
        CashReason::Withdrawal => amount > 0,
        CashReason::Fee | CashReason::Dividend | CashReason::Adjustment => false,
    };
    if amount == 0 || wrong {
        return Err(Refused::bad("amount", "0, or of the wrong sign for its reason"));
    }
    Ok(AccountInput::Cash(amount, reason))
}

fn transfer(names: &Names, slots: &Slots<'_, '_>) -> Result<AccountInput, Refused> {
    match slots.or_zero(at!(TRANSFER, "quantity")) {
        0 => Err(Refused::bad("quantity", "0")),
        quantity => Ok(AccountInput::Transfer(named(names, slots, at!(TRANSFER, "security")), quantity)),
    }
}

fn fill(names: &mut Names, slots: &Slots<'_, '_>, envelope: &Envelope<'_>) -> AccountInput {
    let side = word(slots, at!(FILL, "side"), Side::ALL);
    let stated = slots.text(at!(FILL, "contract"));
    let contract = match (side, stated) {
        (Side::MarginBuy | Side::ShortSell, Some(name)) => {
            NamedContract::Named(ContractName(names.contracts.intern(name)))
        }
        (Side::MarginBuy | Side::ShortSell, None) => {
            let (source, id) = (envelope.source.unwrap_or_default(), envelope.id.unwrap_or_default());
            NamedContract::Unnamed(ContractName(names.contracts.intern(&format!("{source}/{id}"))))
        }
        (Side::SellToRepay | Side::BuyToCover, Some(name)) => {
            names.find_contract(name).map_or(NamedContract::Unknown, NamedContract::Named)
        }
        _ => NamedContract::Unnamed(NO_CONTRACT),
    };
    AccountInput::Fill(Box::new(Fill {
        side,
        security: named(names, slots, at!(FILL, "security")),
        quantity: slots.or_zero(at!(FILL, "quantity")),
        price: slots.or_zero(at!(FILL, "price")),
        fee: slots.or_zero(at!(FILL, "fee")),
        contract,
        rate: slots.or_zero(at!(FILL, "rate")) as u32,
        due: slots.date(at!(FILL, "due")),
        margin_ratio: small(slots, at!(FILL, "margin_ratio")),
    }))
}

fn repay(names: &Names, slots: &Slots<'_, '_>) -> Result<AccountInput, Refused> {
    let repayment = match (slots.number(at!(REPAY, "amount")), slots.number(at!(REPAY, "quantity"))) {
        (Some(amount), None) => Repayment::Cash(amount),
        (None, Some(quantity)) => Repayment::Shares(quantity),
        _ => return Err(Refused::bad("amount", "exactly one of amount and quantity is asked for")),
    };
    Ok(AccountInput::Repay(contract(names, slots, at!(REPAY, "contract")), repayment))
}

fn interest(names: &Names, slots: &Slots<'_, '_>) -> Result<AccountInput, Refused> {
    let amount = slots.or_zero(at!(INTEREST, "amount"));
    let kind = word(slots, at!(INTEREST, "kind"), InterestKind::ALL);
    if kind != InterestKind::Adjust && amount <= 0 {
        return Err(Refused::bad("amount", "not above 0"));
    }
    Ok(AccountInput::Interest(contract(names, slots, at!(INTEREST, "contract")), amount, kind))
}

fn extend(names: &Names, slots: &Slots<'_, '_>) -> AccountInput {
    AccountInput::Extend(
        contract(names, slots, at!(EXTEND, "contract")),
        day(slots, at!(EXTEND, "due")),
        small(slots, at!(EXTEND, "rate")),
        small(slots, at!(EXTEND, "margin_ratio")),
    )
}

fn order(names: &Names, slots: &Slots<'_, '_>) -> Result<AccountInput, Refused> {
    let remaining = slots.or_zero(at!(ORDER, "remaining"));
    if remaining > slots.or_zero(at!(ORDER, "quantity")) {
        return Err(Refused::bad("remaining", "above quantity"));
    }
    Ok(AccountInput::Order(Box::new(Order {
        order: fingerprint(slots.text(at!(ORDER, "order")).unwrap_or_default()),
        side: word(slots, at!(ORDER, "side"), Side::ALL),
        security: named(names, slots, at!(ORDER, "security")),
        price: slots.or_zero(at!(ORDER, "price")),
        status: word(slots, at!(ORDER, "status"), OrderStatus::ALL),
        remaining,
    })))
}

/// The fingerprint by which the core knows an order's id.
#[must_use]
pub fn fingerprint(id: &str) -> u128 {
    let hash = blake3::hash(id.as_bytes());
    hash.as_bytes().first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes))
}

fn policy_input(slots: &Slots<'_, '_>) -> Result<Input, Refused> {
    let Some(Value::Object(keys)) = slots.value(at!(POLICY, "policy")) else {
        return Err(Refused::bad("policy", "not an object"));
    };
    match policy::from_fields(keys) {
        Ok(draft) => Ok(Input::Policy(Box::new(draft))),
        Err(faults) => {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(Refused::bad("policy", &all.join("; ")))
        }
    }
}

fn rules_input(names: &mut Names, slots: &Slots<'_, '_>) -> Result<Input, Refused> {
    let table = slots.text(at!(RULES, "table")).unwrap_or_default();
    rules::from_rows(table, slots.list(at!(RULES, "rows")), &mut names.indices)
        .map(|table| Input::Rules(Box::new(table)))
        .map_err(|what| Refused::bad("rows", &what))
}

fn calendar(slots: &Slots<'_, '_>) -> Result<Input, Refused> {
    rules::check_sessions(slots.list(at!(CALENDAR, "sessions")))
        .map_err(|what| Refused::bad("sessions", &what))?;
    let date = |value: &Value<'_>| match value {
        Value::Date(day) => Some(Date(*day)),
        Value::Text(text) => crate::time::parse_date(text),
        _ => None,
    };
    let mut dates: Vec<Date> = slots.list(at!(CALENDAR, "dates")).iter().filter_map(date).collect();
    dates.sort_unstable();
    dates.dedup();
    Ok(Input::Calendar(dates))
}

#[cfg(test)]
mod tests;
