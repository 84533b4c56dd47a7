use super::*;
use crate::door::Door;
use crate::schema::{EFFECTS, Part, STATE, Shape};
use plimsoll_engine::effect::CauseKind;
use plimsoll_engine::input::{Code, ContractName, SecurityName, SourceName};

fn epoch() -> (Door, CutEpoch) {
    let mut door = Door::new();
    let at = "2026-01-19T09:30:00.000+08:00";
    for line in [
        format!(r#"{{"v":1,"type":"clock","id":"e1","source":"worked","at":"{at}"}}"#),
        format!(
            r#"{{"v":1,"type":"account","id":"e2","source":"worked","at":"{at}","account":"A1","customer":"C1","client_class":"individual"}}"#
        ),
        format!(
            r#"{{"v":1,"type":"security","id":"e3","source":"worked","at":"{at}","security":"600519.SH","name":"","class":"a_share","board":"main","collateral":true,"financing":true,"shorting":true,"haircut":"0.5"}}"#
        ),
        format!(
            r#"{{"v":1,"type":"opening","id":"e4","source":"worked","at":"{at}","account":"A1","cash":"1","contracts":[{{"contract":"F1","side":"short","security":"600519.SH","quantity":1,"amount":1,"opened":"2026-01-19"}}]}}"#
        ),
        format!(
            r#"{{"v":1,"type":"quote","id":"e\"5","source":"worked","at":"{at}","security":"600519.SH","price":"x"}}"#
        ),
        r#"{"source":"worked"}"#.to_owned(),
    ] {
        assert!(door.line(line.as_bytes()).unwrap().is_none());
    }
    let mut cut = door.finish().unwrap();
    cut.epoch.number = 3;
    (door, cut)
}

fn printed(effects_of: Vec<Effect>) -> Vec<String> {
    let (door, cut) = epoch();
    let mut out = Vec::new();
    effects(&mut out, door.names(), &cut, &Out { verdicts: vec![], effects: effects_of });
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

fn cause(key: CauseKey, input: Option<u32>, amount: Option<i128>) -> Cause {
    Cause { kind: CauseKind::Opening, key, input, amount }
}

fn change() -> TierChanged {
    TierChanged {
        account: AccountName(0),
        count: 1,
        from: Tier::None,
        to: Tier::Call,
        assets: Some(12_000_000_000),
        debts: 10_000_000_000,
        line: Some(13_000),
        settlement: false,
        cause: cause(CauseKey::Account, Some(3), Some(-1_000_000_000)),
    }
}

const HEAD: &str = r#""shard":0,"seq":3,"n":0,"at":"2026-01-19T09:30:00.000+08:00","id":"#;

#[test]
fn a_change_of_tier() {
    let want = r#"{"v":1,"type":"tier_changed","shard":0,"seq":3,"n":0,"at":"2026-01-19T09:30:00.000+08:00","id":"tier_changed/A1/1","account":"A1","from":"none","to":"call","ratio":"1.200000","assets":"1200000.0000","debts":"1000000.0000","line":"1.30","basis":"intraday","cause":{"kind":"opening","key":"A1","input":{"source":"worked","id":"e4"},"amount":"-100000.0000"}}"#;
    assert_eq!(printed(vec![Effect::TierChanged(change())]), [want]);
    let gone = TierChanged {
        from: Tier::Call,
        to: Tier::None,
        assets: None,
        debts: 0,
        line: None,
        settlement: true,
        cause: cause(CauseKey::Nothing, None, None),
        ..change()
    };
    let tail = r#""from":"call","to":"none","ratio":null,"assets":null,"debts":"0.0000","line":null,"basis":"settlement","cause":{"kind":"opening","key":null,"input":null,"amount":null}}"#;
    assert!(printed(vec![Effect::TierChanged(gone)])[0].ends_with(tail));
}

#[test]
fn refusals_quote_what_could_be_read() {
    let refused = |input, code, detail| Effect::Refused { input, count: 2, code, detail };
    let lines = printed(vec![
        refused(4, Code::BadValue, "not used"),
        refused(5, Code::Malformed, ""),
        refused(3, Code::OutOfRange, "cash"),
    ]);
    let (door, cut) = epoch();
    assert!(door.names().sources.len() == 1 && cut.details.len() == 2);
    assert!(lines[0].starts_with(&format!(r#"{{"v":1,"type":"refused",{HEAD}"refused/worked/e\"5/2","input":{{"source":"worked","id":"e\"5"}},"code":"bad_value","detail":"price: not a decimal""#)));
    assert!(
        lines[1].contains(
            r#""id":"refused/worked//2","input":{"source":"worked","id":null},"code":"malformed","#
        )
    );
    assert!(lines[2].ends_with(r#""code":"out_of_range","detail":"cash"}"#));
    assert!(lines[2].contains(r#""n":2,"#));
}

#[test]
fn alarms_and_restrictions() {
    let alarm = |alarm| Effect::Alarm(alarm, 1);
    let lines = printed(vec![
        alarm(Alarm::Gap(SourceName(0), 4, 9)),
        alarm(Alarm::Unmarked(SecurityName(0))),
        alarm(Alarm::Suspect(AccountName(0))),
        alarm(Alarm::AgainstRestriction(AccountName(0), Act::Shorting)),
        Effect::Restricted(
            AccountName(0),
            Acts(0b11),
            cause(CauseKey::Security(SecurityName(0)), Some(1), Some(-5)),
            1,
        ),
        Effect::Lifted(
            AccountName(0),
            Acts(0b100000),
            cause(CauseKey::Contract(ContractName(0)), Some(1), Some(-5)),
            7,
        ),
    ]);
    assert!(
        lines[0]
            .contains(r#""id":"alarm/gap/worked/1","kind":"gap","key":"worked","detail":"after 4 came 9"}"#)
    );
    assert!(lines[1].contains(r#""id":"alarm/unmarked/600519.SH/1","kind":"unmarked","key":"600519.SH","#));
    assert!(lines[2].contains(r#""id":"alarm/suspect/A1/1","kind":"suspect","key":"A1","#));
    assert!(lines[3].contains(r#""id":"alarm/against_restriction/A1/1","#));
    let tail = r#""id":"restricted/A1/1","account":"A1","acts":["financing","shorting"],"cause":{"kind":"opening","key":"600519.SH","input":{"source":"worked","id":"e2"},"amount":"-0.0005"}}"#;
    assert!(lines[4].ends_with(tail));
    assert!(lines[5].contains(
        r#""id":"lifted/A1/7","account":"A1","acts":["extend"],"cause":{"kind":"opening","key":"F1","#
    ));
}

fn figures() -> Figures {
    Figures {
        cash: 0,
        receivables: 0,
        other_collateral: 0,
        principal: 10_000_000_000,
        interest: 0,
        long_value: Some(12_500_000_000),
        short_value: Some(0),
        valued: Some(Valued {
            assets: 12_500_000_000,
            debts: 10_000_000_000,
            available_margin: -83_750_000_000_000,
            withdrawable: 0,
            adjusted_assets: 81_250_000_000_000,
            cure: Some(Cure {
                restore: 14_000,
                add: 15_000_000,
                repay: Some(10_714_286),
                repay_own: Some(37_500_000),
                return_own: None,
                sell: Some(37_500_000),
                cover: None,
                sell_to_cover: None,
            }),
        }),
    }
}

fn state_line(figures: &Figures, tier: Tier) -> String {
    let mut out = Vec::new();
    state(&mut out, &State { account: "A1", customer: "C1", tier, figures });
    String::from_utf8(out).unwrap()
}

#[test]
fn the_state_line_of_the_contract() {
    let want = concat!(
        r#"{"account":"A1","customer":"C1","tier":"call","ratio":"1.250000","assets":"1250000.0000","debts":"1000000.0000","cash":"0.0000","receivables":"0.0000","long_value":"1250000.0000","short_value":"0.0000","principal":"1000000.0000","interest":"0.0000","available_margin":"-837500.00000000","withdrawable":"0.0000","adjusted_ratio":"0.812500","cure":{"restore":"1.40","add":"150000.00","repay":"107142.86","repay_own":"375000.00","return_own":null,"sell":"375000.00","cover":null,"sell_to_cover":null}}"#,
        "\n"
    );
    assert_eq!(state_line(&figures(), Tier::Call), want);
    let mut out = Vec::new();
    let figures = figures();
    trace(&mut out, 3, &State { account: "A1", customer: "C1", tier: Tier::Call, figures: &figures });
    assert_eq!(String::from_utf8(out).unwrap(), want.replacen('{', r#"{"seq":3,"#, 1));
}

#[test]
fn what_lacks_a_mark_or_a_debt_is_null() {
    let mut unmarked = figures();
    unmarked.valued = None;
    unmarked.long_value = None;
    let line = state_line(&unmarked, Tier::Watch);
    for null in
        ["ratio", "assets", "long_value", "available_margin", "withdrawable", "adjusted_ratio", "cure"]
    {
        assert!(line.contains(&format!("\"{null}\":null")), "{null}");
    }
    assert!(line.contains(r#""debts":"1000000.0000""#));
    let mut free = figures();
    free.principal = 0;
    let valued = free.valued.as_mut().unwrap();
    (valued.debts, valued.cure) = (0, None);
    let line = state_line(&free, Tier::None);
    for null in ["ratio", "adjusted_ratio", "cure"] {
        assert!(line.contains(&format!("\"{null}\":null")), "{null}");
    }
    assert!(line.contains(r#""assets":"1250000.0000""#));
}

#[test]
fn text_is_escaped_as_json_wants_it() {
    for text in ["", "plain", "中文", "a\"b\\c", "\u{0}\u{1f}\n\r\t\u{8}\u{c}\u{7f}", "😀"] {
        let mut out = Vec::new();
        write_text(&mut out, text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}

/// The names of a printed object's members, in order.
fn members(line: &str) -> Vec<String> {
    let mut fields = crate::value::Fields::new();
    crate::json::parse(line.trim_end().as_bytes(), &mut fields).unwrap();
    fields.into_iter().map(|(name, _)| name.into_owned()).collect()
}

#[test]
fn what_is_printed_is_what_the_schema_says() {
    let names = |parts: &[Part]| parts.iter().map(|part| part.name.to_owned()).collect::<Vec<_>>();
    assert_eq!(members(&state_line(&figures(), Tier::Call)), names(STATE));
    let restriction = (AccountName(0), Acts(1), change().cause, 1);
    let lines = printed(vec![
        Effect::TierChanged(change()),
        Effect::Restricted(restriction.0, restriction.1, restriction.2, restriction.3),
        Effect::Lifted(restriction.0, restriction.1, restriction.2, restriction.3),
        Effect::Alarm(Alarm::Suspect(AccountName(0)), 1),
        Effect::Refused { input: 0, count: 1, code: Code::Version, detail: "" },
    ]);
    for (line, kind) in lines.iter().zip(["tier_changed", "restricted", "lifted", "alarm", "refused"]) {
        let (_, parts) = EFFECTS.iter().find(|(name, _)| *name == kind).unwrap();
        let mut want: Vec<String> = ["v", "type", "shard", "seq", "n", "at", "id"].map(String::from).into();
        want.extend(names(parts));
        assert_eq!(members(line), want);
        for Part { name, shape, .. } in *parts {
            if let Shape::Object(inner) = shape {
                let object = serde_json::from_str::<serde_json::Value>(line).unwrap()[name].to_string();
                let mut sorted = names(inner);
                sorted.sort_unstable();
                assert_eq!(members(&object), sorted);
            }
        }
    }
}
