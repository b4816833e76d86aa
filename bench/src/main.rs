#![doc = "quick"]
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod domain;
mod host;
mod limit;
mod load;
mod workload;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    println!("{}", host::describe());
    let secs: u64 = args.get(2).and_then(|s| s.parse().ok()).unwrap_or(5);
    let n: usize = args.get(3).and_then(|s| s.parse().ok()).unwrap_or(256);
    match args.get(1).map(String::as_str) {
        Some("w1") => workload::command::quick(secs, n).await,
        Some("w2") => workload::saga::quick(secs, n, 0).await,
        Some("w3") => workload::saga::quick(secs, n, 20).await,
        _ => Ok(()),
    }
}
