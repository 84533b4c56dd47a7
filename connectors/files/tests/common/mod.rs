//! Events of every type, and records of both carriers brought to one form.
#![allow(dead_code, reason = "each test file uses its part")]

use plimsoll_engine::input::{
    ActionKind, Basis, Board, CashReason, Class, ClientClass, ContractSide, Line, Phase, Side,
};
use plimsoll_engine::num::{Date, Time};
use plimsoll_files::rows::{
    Account, Calendar, Cash, Contract, CorporateAction, DayEnd, DayStart, Event, Fill, Index, Lines, Opening,
    Position, Quote, Receivable, Repay, Security, Stamp, Transfer,
};
use plimsoll_files::{EventFile, EventWriter, FileError, Format, Record, json};
use plimsoll_wire::value::{Fields, Value};
use serde_json::{Map, Value as Json};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub const DAY: Date = Date(20_472);

/// A folder of one test, empty at its start.
pub fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Two events of every type: one with all fields, one with as few as there may be.
pub fn events() -> Vec<Box<dyn Event>> {
    let mut all = market_events();
    all.extend(account_events());
    all
}

fn market_events() -> Vec<Box<dyn Event>> {
    vec![
        Box::new(security()),
        Box::new(bare_security()),
        Box::new(quote()),
        Box::new(silent_quote()),
        Box::new(Index { index: "SSE180", level: 98_765_432 }),
        Box::new(action()),
        Box::new(DayStart { date: DAY }),
        Box::new(DayEnd { date: DAY }),
        Box::new(Calendar { version: "c1", dates: &[Date(20_472), Date(20_473)] }),
        Box::new(Calendar { version: "none", dates: &[] }),
    ]
}

fn security() -> Security<'static> {
    Security {
        security: "600519.SH",
        name: "贵州\"茅台\"",
        class: Class::AShare,
        board: Board::Main,
        indices: Some(&["SSE180", "CSI300"]),
        risk_warning: false,
        delisting: true,
        suspended: true,
        suspended_since: Some(DAY),
        collateral: true,
        financing: true,
        shorting: false,
        haircut: 7000,
        financing_margin: Some(10_000),
        short_margin: Some(12_000),
        total_shares: Some(1_256_197_800),
        float_shares: Some(1_256_197_800),
        pe_static: Some(-1),
        average_turnover: Some(99_999_999_999_999_999),
        group: Some("A"),
        lot: Some(100),
        tick: Some(100),
        sell_after: Some("T1"),
        listed_on: Some(Date(-1)),
    }
}

fn bare_security() -> Security<'static> {
    Security {
        indices: Some(&[]),
        suspended_since: None,
        financing_margin: None,
        short_margin: None,
        total_shares: None,
        float_shares: None,
        pe_static: None,
        average_turnover: None,
        group: None,
        lot: None,
        tick: None,
        sell_after: None,
        listed_on: None,
        ..security()
    }
}

fn quote() -> Quote<'static> {
    Quote {
        security: "600519.SH",
        price: Some(2_147_483_647),
        prev_close: Some(1),
        bid1: Some(12_300),
        ask1: Some(12_400),
        limit_up: Some(13_640),
        limit_down: Some(11_160),
        phase: Some(Phase::AuctionNoCancel),
        volume: Some(1 << 39),
        turnover: Some(123_456_789),
        last: Some(true),
    }
}

fn silent_quote() -> Quote<'static> {
    Quote {
        price: None,
        prev_close: None,
        bid1: None,
        ask1: None,
        limit_up: None,
        limit_down: None,
        phase: None,
        volume: None,
        turnover: None,
        last: None,
        ..quote()
    }
}

fn action() -> CorporateAction<'static> {
    CorporateAction {
        security: "600519.SH",
        kind: ActionKind::Rights,
        ex_date: DAY,
        record_date: Some(Date(DAY.0 - 1)),
        pay_date: None,
        list_date: Some(DAY),
        per_share: Some(2_587_912_345),
        ratio: Some(30_000_000),
        price: Some(81_000),
        compensation: Some(1),
    }
}

fn account_events() -> Vec<Box<dyn Event>> {
    let account = Account {
        account: "A1",
        customer: "C1",
        name: Some("a\\b"),
        client_class: ClientClass::PrivateFund,
        branch: Some("B1"),
        manager: None,
        rating: Some("R3"),
        credit_line: Some(10_000_000_000),
        opened: Some(DAY),
    };
    let lines = Lines {
        account: "A1",
        free: Some(Line::At(30_000)),
        watch: None,
        warning: Some(Line::At(14_500)),
        call: Some(Line::At(13_333)),
        immediate: Some(Line::Absent),
        restore_call: Some(Line::At(14_000)),
        restore_sale: None,
        sale_floor: Some("none"),
        deadline_days: Some(2),
        deadline_time: Some("15:00"),
        call_basis: Some(Basis::Intraday),
        immediate_basis: None,
        agreement: Some("own"),
        valid_from: Some(DAY),
    };
    vec![
        Box::new(account),
        Box::new(lines),
        Box::new(opening()),
        Box::new(Opening {
            account: "A2",
            cash: -1,
            positions: vec![],
            contracts: vec![],
            other_collateral: None,
            receivables: None,
        }),
        Box::new(Cash { account: "A1", amount: -10_000, reason: CashReason::Withdrawal }),
        Box::new(Transfer { account: "A1", security: "600519.SH", quantity: -100 }),
        Box::new(Fill {
            account: "A1",
            side: Side::MarginBuy,
            security: "600519.SH",
            quantity: 100,
            price: 15_000_000,
            fee: Some(3_7500),
            contract: Some("F9"),
            order: None,
            rate: Some(6_350_000),
            due: Some(DAY),
            margin_ratio: Some(10_000),
        }),
        Box::new(Repay { account: "A1", contract: "F9", amount: Some(1), quantity: None }),
        Box::new(Repay { account: "A1", contract: "S9", amount: None, quantity: Some(7) }),
    ]
}

fn opening() -> Opening<'static> {
    let position = |security, quantity| Position { security, quantity, sellable: None, frozen: None };
    Opening {
        account: "A1",
        cash: 99_999_999_999_999_999,
        positions: vec![
            position("600519.SH", 100),
            Position { sellable: Some(3), frozen: Some(4), ..position("000001.SZ", 7) },
        ],
        contracts: vec![Contract {
            contract: "F1",
            side: ContractSide::Financing,
            security: "600519.SH",
            quantity: 50,
            amount: 7_500_000_000,
            interest: Some(1),
            rate: Some(6_350_000),
            opened: DAY,
            due: None,
            margin_ratio: Some(10_000),
        }],
        other_collateral: Some(5),
        receivables: Some(vec![
            Receivable { amount: 1, pay_date: Some(DAY) },
            Receivable { amount: 2, pay_date: None },
        ]),
    }
}

/// Writes events with ids of their place; numbers them where asked.
pub fn write(path: &Path, format: Format, events: &[&dyn Event], numbered: bool) -> Result<u64, FileError> {
    let mut writer = EventWriter::create(path, format, "test")?;
    for (place, event) in events.iter().enumerate() {
        let id = format!("e{place}");
        let at = Time(DAY.start().0 + place as i64 * 1001);
        let source_seq = numbered.then_some(place as u64);
        writer.write(&Stamp { id: &id, at, source_seq }, *event)?;
    }
    writer.finish()
}

/// Reads a file to its end, every record in one form; the error, if it ends in one.
pub fn read(path: &Path) -> (Vec<Json>, Option<FileError>) {
    let mut all = Vec::new();
    let mut file = match EventFile::open(path) {
        Ok(file) => file,
        Err(error) => return (all, Some(error)),
    };
    let result = file.for_each(|record| {
        all.push(match record {
            Record::Line { bytes, .. } => serde_json::from_slice(bytes).unwrap_or(Json::Null),
            Record::Row { fields, .. } => object(fields),
        });
        ControlFlow::<()>::Continue(())
    });
    (all, result.err())
}

/// Fields in the form of JSON text: null left out, decimals, dates and times as they print.
pub fn object(fields: &Fields<'_>) -> Json {
    let present = fields.iter().filter(|(_, value)| *value != Value::Null);
    Json::Object(present.map(|(name, value)| (name.to_string(), plain(value))).collect::<Map<_, _>>())
}

/// A value in the form of JSON text.
pub fn plain(value: &Value<'_>) -> Json {
    let printed = |print: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        print(&mut out);
        Json::String(String::from_utf8(out).unwrap())
    };
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(text) => serde_json::from_str(text).unwrap_or(Json::Null),
        Value::Text(text) => Json::String(text.to_string()),
        Value::Integer(value) => Json::from(*value),
        Value::Decimal(digits, scale) => match i64::try_from(*digits) {
            Ok(digits) if *scale < 19 => printed(&|out| json::decimal(digits, *scale, out)),
            _ => Json::String(format!("{value:?}")),
        },
        Value::Time(micros) if micros.abs() < 1 << 52 => printed(&|out| json::time(Time(*micros), out)),
        Value::Date(days) if days.abs() < 1 << 20 => printed(&|out| json::date(Date(*days), out)),
        Value::Time(_) | Value::Date(_) => Json::String(format!("{value:?}")),
        Value::List(items) => Json::Array(items.iter().map(plain).collect()),
        Value::Object(fields) => object(fields),
    }
}
