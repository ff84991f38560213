//! What needs no EC2: plans for files, simulations.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{RowResult, World};
use crate::{ensure, ensure_eq};

/// Cases that django-fabfile decided.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/ec2-snapshots/tests/fixtures/fabfile_trim");

#[derive(Deserialize)]
struct Case {
    name: String,
    now: String,
    local_offset: String,
    numbers: BTreeMap<String, u32>,
    kept: Vec<String>,
}

fn kept(plan: &Value) -> BTreeSet<String> {
    let decisions = plan["decisions"].as_array().map_or(&[][..], Vec::as_slice);
    let kept = decisions.iter().filter(|decided| decided["action"] == "keep");
    kept.filter_map(|decided| decided["id"].as_str().map(str::to_owned)).collect()
}

/// E-fabfile.
pub(super) async fn fabfile(world: &World) -> RowResult {
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(format!("{CASES}/cases.json"))?)?;
    ensure!(cases.len() >= 6, "only {} cases", cases.len());
    for case in cases {
        let file = format!("{CASES}/{}.json", case.name);
        let mut trim =
            world.lastgood(["ec2", "trim", "-n", "--json", "--any", "--policy", "fabfile", "--from-json", &file]);
        trim = trim.args(["--now", &case.now, "--local-offset", &case.local_offset]);
        for (period, number) in &case.numbers {
            trim = trim.args([format!("--keep-{period}"), number.to_string()]);
        }
        let plan = trim.ok().await?.json()?;
        ensure_eq!(kept(&plan), case.kept.into_iter().collect::<BTreeSet<_>>(), "kept in the case {}", case.name);
    }
    Ok(())
}

/// E-json.
pub(super) async fn forms(world: &World) -> RowResult {
    let times = |form: fn(u32) -> String| -> Vec<Value> {
        (0..48)
            .map(|hour| json!({ "SnapshotId": format!("snap-{hour}"), "VolumeId": "vol-1", "StartTime": form(hour) }))
            .collect()
    };
    let forms: [fn(u32) -> String; 3] = [
        |hour| format!("2026-11-{:02}T{:02}:00:24.000Z", 19 + hour / 24, hour % 24),
        |hour| format!("2026-11-{:02}T{:02}:00:24+00:00", 19 + hour / 24, hour % 24),
        |hour| format!("2026-11-{:02}T{:02}:00:24.000000+00:00", 19 + hour / 24, hour % 24),
    ];
    let documents = [
        json!({ "Snapshots": times(forms[0]), "NextToken": "" }),
        json!({ "Snapshots": times(forms[1]) }),
        json!({ "NextToken": null, "Snapshots": times(forms[2]) }),
    ];
    let mut plans = Vec::new();
    for document in documents {
        std::fs::write(world.folder().join("a.json"), document.to_string())?;
        let arguments =
            ["ec2", "trim", "-n", "--json", "--any", "--from-json", "a.json", "--now", "2026-11-21T03:00:00Z"];
        plans.push(world.lastgood(arguments).ok().await?.json()?);
    }
    ensure!(plans[0]["deleted"] != 0, "nothing would be deleted: {}", plans[0]);
    ensure!(plans.iter().all(|plan| *plan == plans[0]), "the plans differ");
    std::fs::write(world.folder().join("a.json"), "{\"Snapshots\": [{}]}")?;
    let refused = world.lastgood(["ec2", "trim", "-n", "--from-json", "a.json"]).fails(1).await?;
    refused.says("`a.json` cannot be read")?.says("aws ec2 describe-snapshots")?;
    // A file that is cut behind a whole snapshot is no listing of everything there is.
    let whole = json!({ "Snapshots": times(forms[0]) }).to_string();
    for cut in [whole.len() - 1, whole.len() - 2, whole.rfind(",{").unwrap_or(0)] {
        std::fs::write(world.folder().join("a.json"), &whole[..cut])?;
        world.lastgood(["ec2", "trim", "-n", "--any", "--from-json", "a.json"]).fails(1).await?.says("EOF")?;
    }
    let piped = world.lastgood(["ec2", "trim", "-n", "--any", "--from-json", "-"]).stdin(whole);
    piped.ok().await?.says("to keep")?;
    Ok(())
}

/// E-simulate.
pub(super) async fn simulated(world: &World) -> RowResult {
    let simulate = ["ec2", "trim", "--simulate", "--cadence", "6h", "--for", "90d"];
    world.lastgood(simulate).ok().await?.says("Snapshots kept by the policy logarithmic")?;
    let simulation = world.lastgood(simulate).args(["--json", "--svg", "curve.svg"]).ok().await?.json()?;
    ensure_eq!(simulation["taken"], 360, "snapshots taken");
    ensure!(std::fs::read_to_string(world.folder().join("curve.svg"))?.contains("<polyline"), "no curve");
    world.lastgood(["ec2", "trim", "--simulate", "--cadence", "0s"]).fails(2).await?;
    Ok(())
}
