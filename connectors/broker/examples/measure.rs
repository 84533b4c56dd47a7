//! scratch
use plimsoll_broker::*;
use plimsoll_files::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "gen" {
        let t = std::time::Instant::now();
        let c = Config {
            out: a[2].clone().into(),
            accounts: a[3].parse().unwrap(),
            format: Format::parse(&a[4]).unwrap(),
            scenario: Scenario::parse(&a[5]).unwrap(),
            profile: Profile::parse(&a[6]).unwrap(),
            days: a[7].parse().unwrap(),
            ..Config::default()
        };
        let m = generate(&c).unwrap();
        println!("{} events {:?}", m.events(), t.elapsed());
    } else {
        for p in &a[2..] {
            let t = std::time::Instant::now();
            let mut f = match EventFile::open(p.as_ref()) {
                Ok(f) => f,
                Err(e) => {
                    eprintln!("E {e}");
                    std::process::exit(2)
                }
            };
            let mut n = 0u64;
            let mut x = 0u64;
            let _ = f
                .for_each(|r| {
                    n += 1;
                    match r {
                        Record::Line { bytes, .. } => x += bytes.len() as u64,
                        Record::Row { fields, .. } => x += fields.len() as u64,
                    };
                    std::ops::ControlFlow::<()>::Continue(())
                })
                .unwrap();
            let e = t.elapsed();
            println!("{p}: {n} {x} {e:?} {:.2} M/s", n as f64 / e.as_secs_f64() / 1e6);
        }
    }
}
