use super::*;
use crate::json;
use plimsoll_engine::input::Line;
use plimsoll_engine::rules::RuleTable;
use proptest::prelude::*;

/// A body for every type, with every field it may have.
const WHOLE: &[&str] = &[
    r#""type":"security","security":"600519.SH","name":"x","class":"a_share","board":"main","indices":["SSE180"],"risk_warning":false,"delisting":false,"suspended":true,"suspended_since":"2026-01-05","collateral":true,"financing":true,"shorting":false,"haircut":"0.65","financing_margin":"1.00","short_margin":1.2,"total_shares":1000,"float_shares":900,"pe_static":"-3.5","average_turnover":"1000000","group":"A","lot":100,"tick":"0.01","sell_after":"T1","listed_on":"2001-08-27","pledge_share":"0.125"}"#,
    r#""type":"quote","security":"600519.SH","price":"10.5","prev_close":"10","bid1":"0","ask1":10.51,"limit_up":"11","limit_down":"9","phase":"close_auction","volume":100,"turnover":"1050","last":true}"#,
    r#""type":"index","index":"SSE180","level":"9876.5432"}"#,
    r#""type":"mark","security":"600519.SH","price":"0","by":"desk","reason":"delisted"}"#,
    r#""type":"corporate_action","security":"600519.SH","kind":"rights","ex_date":"2026-01-20","record_date":"2026-01-19","pay_date":"2026-01-21","list_date":"2026-01-22","per_share":"x","ratio":"0.3","price":"5.40","compensation":"0.6"}"#,
    r#""type":"account","account":"A1","customer":"C1","name":"n","client_class":"product","branch":"b","manager":"m","rating":"r","credit_line":"5","contacts":[{"phone":1},2],"opened":"2020-01-01"}"#,
    r#""type":"lines","account":"A1","free":"3.5","watch":"none","warning":"1.6","call":1.35,"immediate":"1.2","restore_call":"1.45","restore_sale":"1.5","sale_floor":"last_settlement","deadline_days":2,"deadline_time":"14:00","call_basis":"intraday","immediate_basis":"settlement","agreement":"g","valid_from":"2026-02-01"}"#,
    r#""type":"opening","account":"A1","cash":"-5.5","positions":[{"security":"600519.SH","quantity":300,"sellable":300,"frozen":0},{"security":"000001.SZ","quantity":0}],"contracts":[{"contract":"F1","side":"financing","security":"600519.SH","quantity":200,"amount":"2000","interest":"1","rate":"0.0835","opened":"2026-01-05","due":"2026-07-05","margin_ratio":"1"},{"contract":"F2","side":"financing","security":"600519.SH","quantity":100,"amount":"0","opened":"2026-01-05"},{"contract":"S1","side":"short","security":"000001.SZ","quantity":900,"amount":"9000","opened":"2026-01-05"}],"other_collateral":"7","receivables":[{"amount":"3","pay_date":"2026-02-01"},{"amount":"4"}]}"#,
    r#""type":"cash","account":"A1","amount":"-0.0001","reason":"withdrawal"}"#,
    r#""type":"transfer","account":"A1","security":"600519.SH","quantity":-5}"#,
    r#""type":"fill","account":"A1","side":"margin_buy","security":"600519.SH","quantity":100,"price":"10","fee":"5","contract":"F9","order":"o1","rate":"0.08","due":"2026-06-30","margin_ratio":"0.8"}"#,
    r#""type":"repay","account":"A1","contract":"F9","amount":"0.01","quantity":null}"#,
    r#""type":"interest","account":"A1","contract":"F9","amount":"-1","kind":"adjust"}"#,
    r#""type":"extend","account":"A1","contract":"F9","due":"2026-12-31","rate":"0","margin_ratio":"1"}"#,
    r#""type":"order","account":"A1","order":"o1","side":"short_sell","security":"600519.SH","quantity":100,"price":"10","status":"open","remaining":100}"#,
    r#""type":"other_collateral","account":"A1","value":"10","note":""}"#,
    r#""type":"day_start","date":"2026-01-19"}"#,
    r#""type":"day_end","date":"2026-01-19"}"#,
    r#""type":"clock"}"#,
    r#""type":"policy","version":1,"policy":{"lines":{"watch":"1.9"}},"by":"desk"}"#,
    r#""type":"rules","version":"2","table":"haircut_caps","rows":[]}"#,
    r#""type":"calendar","version":"2026","dates":["2026-01-20","2026-01-19","2026-01-20"],"sessions":null}"#,
];

const HEAD: &str = r#"{"v":1,"id":"e1","source":"s","at":"2026-01-19T09:30:00+08:00","source_seq":null,"#;

fn decode_with(names: &mut Names, line: &str) -> Result<Input, Refused> {
    let mut fields = Fields::new();
    assert!(!json::parse(line.as_bytes(), &mut fields).unwrap());
    let envelope = Envelope::read(&fields, false);
    assert_eq!(envelope.flaw(), None);
    decode(names, &envelope, &fields)
}

fn known() -> Names {
    let mut names = Names::default();
    for body in [WHOLE[0], WHOLE[5]] {
        decode_with(&mut names, &format!("{HEAD}{body}")).unwrap();
    }
    names.contracts.intern("F9");
    names
}

fn read(body: &str) -> Result<Input, Refused> {
    decode_with(&mut known(), &format!("{HEAD}{body}"))
}

fn code(body: &str) -> Option<Code> {
    read(body).err().map(|refused| refused.code)
}

fn account_input(body: &str) -> AccountInput {
    match read(body).unwrap() {
        Input::OfAccount(Some(AccountName(0)), input) => input,
        other => panic!("{other:?}"),
    }
}

/// The whole body of a type with one field's value replaced, or the field taken out.
fn with(kind: &str, field: &str, value: Option<&str>) -> String {
    let body = WHOLE.iter().find(|body| body.starts_with(&format!("\"type\":\"{kind}\""))).unwrap();
    let mut fields = Fields::new();
    let line = format!("{{{body}");
    json::parse(line.as_bytes(), &mut fields).unwrap();
    let raw: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
    let mut parts = Vec::new();
    for (name, _) in &fields {
        let value =
            if name == field { value.map(str::to_owned) } else { Some(raw[name.as_ref()].to_string()) };
        parts.extend(value.map(|value| format!("\"{name}\":{value}")));
    }
    if fields.iter().all(|(name, _)| name != field) {
        parts.extend(value.map(|value| format!("\"{field}\":{value}")));
    }
    format!("{}}}", parts.join(","))
}

#[test]
fn every_type_is_read_whole() {
    for (&kind, body) in Type::ALL.iter().zip(WHOLE) {
        assert!(body.contains(&format!("\"type\":\"{}\"", kind.table().name)));
        assert!(read(body).is_ok(), "{body}: {:?}", read(body));
        for field in kind.table().fields {
            let absent = with(kind.table().name, field.name, None);
            let null = with(kind.table().name, field.name, Some("null"));
            match (kind, field.need) {
                // A field that the kind of action needs counts as required; exactly one of the two
                // amounts of a repayment must be there.
                (Type::CorporateAction, _) if ["ratio", "price"].contains(&field.name) => {
                    assert_eq!(
                        (code(&absent), code(&null)),
                        (Some(Code::MissingField), Some(Code::BadValue))
                    );
                }
                // Without positions the contracts tie more shares than are held.
                (Type::Repay | Type::Opening, _) if ["amount", "positions"].contains(&field.name) => {
                    assert_eq!((code(&absent), code(&null)), (Some(Code::BadValue), Some(Code::BadValue)));
                }
                (_, crate::fields::Need::Required) => {
                    assert_eq!(
                        (code(&absent), code(&null)),
                        (Some(Code::MissingField), Some(Code::BadValue))
                    );
                }
                (_, crate::fields::Need::Nullable) => {
                    assert_eq!((code(&absent), code(&null)), (Some(Code::MissingField), None));
                }
                _ => assert_eq!((code(&absent), code(&null)), (None, None), "{kind:?} {}", field.name),
            }
        }
    }
}

#[test]
fn what_the_core_gets() {
    let Input::Security(record) = read(WHOLE[0]).unwrap() else { panic!() };
    assert_eq!((record.security, record.exchange, record.haircut), (SecurityName(0), Exchange::Sh, 6500));
    assert_eq!((record.pe_static, record.short_margin), (Some(-35_000), Some(12_000)));
    assert!(record.suspended && record.collateral && !record.delisting);
    assert_eq!(record.indices, [IndexName(0)]);
    let Input::Quote(quote) = read(WHOLE[1]).unwrap() else { panic!() };
    let want = Quote {
        security: Some(SecurityName(0)),
        price: Some(105_000),
        prev_close: 100_000,
        bid1: 0,
        ask1: 105_100,
        limit_up: 110_000,
        limit_down: 90_000,
        phase: Phase::CloseAuction,
    };
    assert_eq!(quote, want);
    assert_eq!(read(WHOLE[2]).unwrap(), Input::Index(IndexName(0), 98_765_432));
    assert_eq!(read(WHOLE[3]).unwrap(), Input::Mark(Some(SecurityName(0)), Some(0)));
    let Input::CorporateAction(action) = read(WHOLE[4]).unwrap() else { panic!() };
    assert_eq!((action.kind, action.ratio, action.price), (ActionKind::Rights, 30_000_000, 54_000));
    assert_eq!((action.per_share, action.compensation), (0, Some(60_000_000)));
    let AccountInput::Lines(patch, from) = account_input(WHOLE[6]) else { panic!() };
    assert_eq!(
        patch.lines[..4],
        [35_000, 0, 16_000, 13_500].map(|bp| Some(if bp == 0 { Line::Absent } else { Line::At(bp) }))
    );
    assert_eq!((patch.sale_floor, patch.deadline_minute), (Some(true), Some(840)));
    assert_eq!((patch.call_basis, patch.immediate_basis), (Some(Basis::Intraday), Some(Basis::Settlement)));
    assert_eq!(from, Date::from_ymd(2026, 2, 1));
    let AccountInput::Opening(opening) = account_input(WHOLE[7]) else { panic!() };
    assert_eq!((opening.cash, opening.other_collateral), (-55_000, 70_000));
    assert_eq!(opening.positions, [(Some(SecurityName(0)), 300), (None, 0)]);
    assert_eq!(opening.contracts[0].rate, 8_350_000);
    assert_eq!(opening.contracts.iter().map(|c| c.contract.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(opening.receivables.unwrap().len(), 2);
    assert_eq!(account_input(WHOLE[8]), AccountInput::Cash(-1, CashReason::Withdrawal));
    assert_eq!(account_input(WHOLE[9]), AccountInput::Transfer(Some(SecurityName(0)), -5));
    assert_eq!(account_input(WHOLE[11]), AccountInput::Repay(Some(ContractName(0)), Repayment::Cash(100)));
    let interest = AccountInput::Interest(Some(ContractName(0)), -10_000, InterestKind::Adjust);
    assert_eq!(account_input(WHOLE[12]), interest);
    let due = Date::from_ymd(2026, 12, 31).unwrap();
    let extend = AccountInput::Extend(Some(ContractName(0)), due, Some(0), Some(10_000));
    assert_eq!(account_input(WHOLE[13]), extend);
    assert_eq!(account_input(WHOLE[15]), AccountInput::OtherCollateral(100_000));
    let days = [19, 20].map(|day| Date::from_ymd(2026, 1, day).unwrap());
    assert_eq!(read(WHOLE[16]).unwrap(), Input::DayStart(days[0]));
    assert_eq!(read(WHOLE[20]).unwrap(), Input::Rules(Box::new(RuleTable::HaircutCaps(vec![]))));
    assert_eq!(read(WHOLE[21]).unwrap(), Input::Calendar(days.to_vec()));
}

#[test]
fn a_fill_names_its_contract_by_its_side() {
    let contract = |side: &str, contract: &str| {
        let body = with("fill", "side", Some(&format!("\"{side}\""))).replace("\"F9\"", contract);
        let mut names = known();
        let line = format!("{HEAD}{body}");
        let Input::OfAccount(_, AccountInput::Fill(fill)) = decode_with(&mut names, &line).unwrap() else {
            panic!()
        };
        (fill.contract, names.find_contract("s/e1").is_some())
    };
    for side in ["margin_buy", "short_sell"] {
        assert_eq!(contract(side, "\"F9\""), (NamedContract::Named(ContractName(0)), false));
        assert_eq!(contract(side, "\"new\""), (NamedContract::Named(ContractName(1)), false));
        assert_eq!(contract(side, "null"), (NamedContract::Unnamed(ContractName(1)), true));
    }
    for side in ["sell_to_repay", "buy_to_cover"] {
        assert_eq!(contract(side, "\"F9\""), (NamedContract::Named(ContractName(0)), false));
        assert_eq!(contract(side, "\"new\""), (NamedContract::Unknown, false));
        assert_eq!(contract(side, "null"), (NamedContract::Unnamed(NO_CONTRACT), false));
    }
    for side in ["collateral_buy", "collateral_sell", "subscribe"] {
        assert_eq!(contract(side, "\"new\""), (NamedContract::Unnamed(NO_CONTRACT), false));
    }
}

#[test]
fn bad_values() {
    for (kind, field, value) in [
        ("security", "haircut", "\"1.0001\""),
        ("security", "class", "\"share\""),
        ("security", "indices", "[1]"),
        ("security", "suspended", "0"),
        ("security", "security", "\"600519\""),
        ("quote", "price", "\"1.00001\""),
        ("quote", "price", "-1"),
        ("quote", "price", "\"1e1\""),
        ("quote", "price", "1e1"),
        ("quote", "price", "\"214748.3648\""),
        ("quote", "volume", "\"100\""),
        ("quote", "phase", "\"lunch\""),
        ("index", "level", "\"0.00001\""),
        ("mark", "price", "\"-1\""),
        ("corporate_action", "ratio", "\"0\""),
        ("corporate_action", "price", "\"-1\""),
        ("corporate_action", "compensation", "\"0.000000001\""),
        ("corporate_action", "kind", "\"merger\""),
        ("account", "account", "\"\""),
        ("account", "contacts", "\"x\""),
        ("lines", "call", "\"101\""),
        ("lines", "deadline_time", "\"25:00\""),
        ("opening", "positions", "{}"),
        ("opening", "positions", "[1]"),
        (
            "opening",
            "contracts",
            "[{\"contract\":\"F1\",\"side\":\"financing\",\"security\":\"600519.SH\",\"quantity\":301,\"amount\":\"1\",\"opened\":\"2026-01-05\"}]",
        ),
        (
            "opening",
            "contracts",
            "[{\"contract\":\"F1\",\"side\":\"financing\",\"security\":\"600000.SH\",\"quantity\":1,\"amount\":\"1\",\"opened\":\"2026-01-05\"}]",
        ),
        ("cash", "amount", "\"0\""),
        ("cash", "amount", "\"1\""),
        ("cash", "amount", "\"-10000000000000\""),
        ("transfer", "quantity", "0"),
        ("transfer", "quantity", "1099511627776"),
        ("fill", "quantity", "0"),
        ("fill", "price", "\"0\""),
        ("fill", "fee", "\"-0.01\""),
        ("fill", "rate", "\"1\""),
        ("fill", "due", "\"2026-02-29\""),
        ("repay", "amount", "\"0\""),
        ("repay", "quantity", "5"),
        ("order", "remaining", "101"),
        ("order", "price", "\"0\""),
        ("other_collateral", "value", "\"-1\""),
        ("day_start", "date", "\"2026-1-19\""),
        ("policy", "policy", "{\"lines\":{\"wach\":\"1.9\"}}"),
        ("policy", "policy", "[]"),
        ("rules", "table", "\"interest\""),
        ("rules", "rows", "[{}]"),
        ("calendar", "dates", "[\"2026-02-30\"]"),
        ("calendar", "sessions", "[{}]"),
    ] {
        let body = with(kind, field, Some(value));
        assert_eq!(code(&body), Some(Code::BadValue), "{body}");
    }
    let settled = with("interest", "kind", Some("\"settled\""));
    assert_eq!(code(&settled), Some(Code::BadValue));
    assert_eq!(code(&settled.replace("\"-1\"", "\"1\"")), None);
    assert_eq!(code(&with("interest", "amount", Some("\"0\""))), None);
    assert_eq!(code(&with("cash", "reason", Some("\"deposit\""))), Some(Code::BadValue));
    assert_eq!(code(&with("cash", "reason", Some("\"fee\""))), None);
    let twice = with(
        "opening",
        "positions",
        Some("[{\"security\":\"600519.SH\",\"quantity\":300},{\"security\":\"600519.SH\",\"quantity\":1}]"),
    );
    assert_eq!(code(&twice), Some(Code::BadValue));
    assert_eq!(code(&WHOLE[7].replace("\"F2\"", "\"F1\"")), Some(Code::BadValue));
}

#[test]
fn an_action_ignores_what_its_kind_has_no_use_for() {
    let body = |kind: &str, rest: &str| {
        format!(
            "\"type\":\"corporate_action\",\"security\":\"600519.SH\",\"kind\":\"{kind}\",\"ex_date\":\"2026-01-20\",{rest}}}"
        )
    };
    assert_eq!(code(&body("cash_dividend", r#""per_share":"0.5","ratio":"-1","price":[]"#)), None);
    assert_eq!(code(&body("bonus", r#""ratio":"0.5","per_share":0"#)), None);
    assert_eq!(code(&body("split", r#""ratio":"0""#)), Some(Code::BadValue));
    assert_eq!(code(&body("cash_dividend", r#""ratio":"0.5""#)), Some(Code::MissingField));
    assert_eq!(code(&body("cash_dividend", r#""per_share":null"#)), Some(Code::BadValue));
    assert_eq!(code(&body("rights", r#""ratio":"0.3""#)), Some(Code::MissingField));
    assert_eq!(code(&body("merger", r#""ratio":"0.3""#)), Some(Code::BadValue));
}

#[test]
fn refusals_come_in_their_order() {
    assert_eq!(code("\"type\":\"haircut\",\"anything\":1}"), Some(Code::NotEnabled));
    assert_eq!(code("\"type\":\"hairdo\"}"), Some(Code::UnknownType));
    // A nested unknown field comes before a missing one, a nested missing one before a bad value.
    let nested = |inner: &str, rest: &str| {
        code(&format!("\"type\":\"opening\",{rest}\"positions\":[{{\"security\":\"600519.SH\"{inner}}}]}}"))
    };
    assert_eq!(nested(",\"colour\":1", ""), Some(Code::UnknownField));
    assert_eq!(nested("", "\"account\":\"A1\",\"cash\":\"x\","), Some(Code::MissingField));
    assert_eq!(nested(",\"quantity\":-1", "\"account\":\"A1\",\"cash\":\"1\","), Some(Code::BadValue));
    let seq = format!("{HEAD}{}", WHOLE[18]).replace("null", "\"7\"");
    assert_eq!(decode_with(&mut known(), &seq).unwrap_err().code, Code::BadValue);
    let seq = format!("{HEAD}{}", with("day_start", "date", None)).replace("null", "-1");
    assert_eq!(decode_with(&mut known(), &seq).unwrap_err().code, Code::MissingField);
}

#[test]
fn a_refused_event_leaves_no_names() {
    let mut names = Names::default();
    for (kind, field, value) in [
        ("security", "haircut", "\"2\""),
        ("account", "opened", "\"never\""),
        ("index", "level", "\"x\""),
        ("opening", "cash", "\"x\""),
        ("opening", "receivables", "[{\"amount\":\"x\"}]"),
        ("fill", "fee", "\"-1\""),
    ] {
        assert!(decode_with(&mut names, &format!("{HEAD}{}", with(kind, field, Some(value)))).is_err());
    }
    assert_eq!(
        code("\"type\":\"rules\",\"version\":\"1\",\"table\":\"haircut_caps\",\"rows\":[{}]}"),
        Some(Code::BadValue)
    );
    let all = [&names.accounts, &names.customers, &names.securities, &names.contracts, &names.indices];
    assert!(all.iter().all(|set| set.is_empty()));
}

proptest! {
    /// Whatever stands in whichever field, the event is decoded or refused.
    #[test]
    fn any_value_in_any_field_is_judged(
        body in prop::sample::select(WHOLE),
        at in 0..30_usize,
        value in prop_oneof![
            Just("null".to_owned()), Just("[]".to_owned()), Just("{}".to_owned()), Just("[[{}]]".to_owned()),
            "-?[1-9][0-9]{0,44}", "\"-?[0-9]{1,30}\\.[0-9]{1,12}\"", "\"[a-z]{0,9}\"",
        ],
    ) {
        let kind = body.split('"').nth(3).unwrap();
        let fields = Type::parse(kind).unwrap().table().fields;
        if !fields.is_empty() {
            let _ = read(&with(kind, fields[at % fields.len()].name, Some(&value)));
        }
    }
}
