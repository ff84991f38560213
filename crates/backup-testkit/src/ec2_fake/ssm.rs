//! Systems Manager: SendCommand really runs the script, in a folder, and GetCommandInvocation tells what came of it.

pub(super) mod invocation;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use self::invocation::Invocation;
use super::state::State;
use crate::aws_fake::{ApiError, Received, Reply, Route, reply};

/// "the first 24,000 characters" and "the first 8,000 characters" (Systems Manager API reference, "GetCommandInvocation").
const OUTPUT_CHARACTERS_MAX: usize = 24_000;
const ERROR_CHARACTERS_MAX: usize = 8_000;

/// The only document there is.
const DOCUMENT: &str = "AWS-RunShellScript";

/// "executionTimeout … Default is 3600" seconds (the document `AWS-RunShellScript`).
const TIMEOUT_DEFAULT_S: u64 = 3600;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    #[serde(default)]
    instance_ids: Vec<String>,
    document_name: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    commands: Vec<String>,
    #[serde(default)]
    working_directory: Vec<String>,
    #[serde(default)]
    execution_timeout: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    command_id: String,
    instance_id: String,
}

/// A script to be run, and where.
#[derive(Clone, Debug)]
pub(super) struct Job {
    command: String,
    script: String,
    folder: PathBuf,
    bin: PathBuf,
    timeout: Duration,
}

pub(super) fn route(received: &Received) -> Route {
    let target = received.header("x-amz-target").unwrap_or_default();
    let op = target.strip_prefix("AmazonSSM.").unwrap_or("none").to_owned();
    let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
    let ids = body["InstanceIds"].as_array().into_iter().flatten().chain([&body["InstanceId"], &body["CommandId"]]);
    let key: Vec<&str> = ids.filter_map(Value::as_str).collect();
    Route { mutating: op == "SendCommand", op, key: key.join(" "), dry_run: false }
}

/// Does it; a script that is to be run is returned beside the answer.
pub(super) fn handle(state: &mut State, received: &Received, route: &Route) -> Result<(Reply, Option<Job>), ApiError> {
    match route.op.as_str() {
        "SendCommand" => send(state, received).map(|(reply, job)| (reply, Some(job))),
        "GetCommandInvocation" => get(state, received).map(|reply| (reply, None)),
        "DescribeInstanceInformation" => Ok((information(state, received), None)),
        _ => Err(ApiError::new(400, "UnknownOperationException", "There is no such operation")),
    }
}

fn read<T: serde::de::DeserializeOwned>(received: &Received) -> Result<T, ApiError> {
    serde_json::from_slice(&received.body).map_err(|error| ApiError::new(400, "ValidationException", error.to_string()))
}

fn json(value: &Value) -> Reply {
    reply(200, "application/x-amz-json-1.1", value.to_string())
}

fn send(state: &mut State, received: &Received) -> Result<(Reply, Job), ApiError> {
    let request: Send = read(received)?;
    if request.document_name != DOCUMENT {
        let text = format!("There is no document {}", request.document_name);
        return Err(ApiError::new(400, "InvalidDocument", text));
    }
    let [instance] = request.instance_ids.as_slice() else {
        return Err(ApiError::new(400, "ValidationException", "This fake takes one instance a command"));
    };
    let (region, account, now) = (received.caller.region.clone(), received.caller.account.clone(), received.now);
    let folder = state.settings.ssm_folder.clone();
    let found = state.regions.get(&region).and_then(|region| region.instances.get(instance));
    let running = found.is_some_and(|own| own.owner == account && own.state(now).0 == "running");
    let Some(folder) = folder.filter(|_| running) else {
        // "The instance isn't in valid state", or has no agent (API reference, "SendCommand", `InvalidInstanceId`).
        let text = format!("Instances [[{instance}]] not in a valid state for account {account}");
        return Err(ApiError::new(400, "InvalidInstanceId", text));
    };
    let (a, b) = (state.serial(), state.serial());
    let command = format!("00000000-0000-4000-{a:04x}-{b:012x}");
    let invocation = Invocation {
        instance: instance.clone(),
        region,
        account,
        begun: now,
        status: "InProgress",
        code: -1,
        stdout: String::new(),
        stderr: String::new(),
    };
    state.commands.insert(command.clone(), invocation);
    let Parameters { commands, working_directory, execution_timeout } = request.parameters;
    let seconds = execution_timeout.first().and_then(|seconds| seconds.parse().ok()).unwrap_or(TIMEOUT_DEFAULT_S);
    let bin = folder.join("bin");
    let folder = working_directory.first().filter(|own| !own.is_empty()).map_or(folder, PathBuf::from);
    let answer = json(&json!({ "Command": {
        "CommandId": command,
        "DocumentName": DOCUMENT,
        "InstanceIds": [instance],
        "Status": "Pending",
        "StatusDetails": "Pending",
        "TargetCount": 1,
        "CompletedCount": 0,
        "ErrorCount": 0,
    }}));
    let script = commands.join("\n");
    Ok((answer, Job { command, script, folder, bin, timeout: Duration::from_secs(seconds) }))
}

fn get(state: &State, received: &Received) -> Result<Reply, ApiError> {
    let request: Get = read(received)?;
    let found = state.commands.get(&request.command_id).filter(|own| {
        (own.instance == request.instance_id)
            && own.region == received.caller.region
            && own.account == received.caller.account
    });
    let Some(found) = found else {
        return Err(ApiError::new(400, "InvocationDoesNotExist", "The command ID and managed node ID don't match"));
    };
    Ok(json(&json!({
        "CommandId": request.command_id,
        "InstanceId": found.instance,
        "DocumentName": DOCUMENT,
        "PluginName": "aws:runShellScript",
        "ResponseCode": found.code,
        "ExecutionStartDateTime": found.begun.to_string(),
        "Status": found.status,
        "StatusDetails": found.status,
        "StandardOutputContent": found.stdout,
        "StandardErrorContent": found.stderr,
    })))
}

fn information(state: &State, received: &Received) -> Reply {
    let agents = state.settings.ssm_folder.is_some();
    let region = state.regions.get(&received.caller.region);
    let running = region
        .into_iter()
        .flat_map(|region| region.instances.values())
        .filter(|own| agents && own.owner == received.caller.account && own.state(received.now).0 == "running");
    let list: Vec<Value> =
        running.map(|own| json!({ "InstanceId": own.id, "PingStatus": "Online", "PlatformType": "Linux" })).collect();
    json(&json!({ "InstanceInformationList": list }))
}

/// What came of a script.
#[derive(Debug)]
pub(super) struct Ended {
    command: String,
    status: &'static str,
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs a script as the agent does: written to a file, by `sh`, ended when its time is over.
pub(super) async fn run(job: Job) -> Ended {
    let command = job.command.clone();
    let ended = |status, code, stdout: &[u8], stderr: &[u8]| Ended {
        command,
        status,
        code,
        stdout: cut(stdout, OUTPUT_CHARACTERS_MAX),
        stderr: cut(stderr, ERROR_CHARACTERS_MAX),
    };
    let path = match path_with(&job.bin) {
        Ok(path) => path,
        Err(error) => return ended("Failed", 1, b"", error.to_string().as_bytes()),
    };
    let output = Command::new("sh")
        .args(["-c", &job.script])
        .current_dir(&job.folder)
        .env("PATH", path)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(job.timeout, output).await {
        Err(_) => ended("TimedOut", -1, b"", b""),
        Ok(Err(error)) => ended("Failed", 1, b"", error.to_string().as_bytes()),
        Ok(Ok(output)) => {
            let code = output.status.code().unwrap_or(-1);
            let status = if output.status.success() { "Success" } else { "Failed" };
            ended(status, code, &output.stdout, &output.stderr)
        }
    }
}

fn path_with(bin: &Path) -> Result<std::ffi::OsString, std::env::JoinPathsError> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(bin.to_owned()).chain(std::env::split_paths(&own)))
}

fn cut(bytes: &[u8], characters: usize) -> String {
    String::from_utf8_lossy(bytes).chars().take(characters).collect()
}

/// Notes what came of a script.
pub(super) fn note(state: &mut State, ended: Ended) {
    if let Some(invocation) = state.commands.get_mut(&ended.command) {
        invocation.status = ended.status;
        invocation.code = ended.code;
        invocation.stdout = ended.stdout;
        invocation.stderr = ended.stderr;
    }
}
