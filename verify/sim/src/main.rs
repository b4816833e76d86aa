//! cli
fn main() {
    let a: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    if std::env::var("LOG").is_ok() {
        tracing_subscriber::fmt()
            .with_env_filter(std::env::var("LOG").unwrap())
            .without_time()
            .with_writer(std::io::stdout)
            .with_ansi(false)
            .init();
    }
    let t = std::time::SystemTime::now();
    let mut bad = 0;
    for seed in a[0]..a[1] {
        eprint!("{seed} ");
        let (wrong, trace) = palinode_sim::try_one(seed);
        if std::env::var("SHOWT").is_ok() {
            println!("trace {seed} {trace:x}");
        }
        if !wrong.is_empty() {
            bad += 1;
            println!("seed {seed} {trace:x}");
            for w in wrong.iter().take(6) {
                println!("   {w}");
            }
        }
    }
    println!("{bad} bad of {} in {:?}", a[1] - a[0], t.elapsed());
}
