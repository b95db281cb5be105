//! A network of Linux network namespaces: one machine per node, two switches, and cables that can be moved.
//!
//! Everything is inside namespaces with names that no other process uses, so the machine's own network is
//! unchanged, and nothing is left when the namespaces are deleted.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::program::{read_answer, write_request};

/// Where a machine's cable is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cable {
    /// In the switch with this number, 0 or 1.
    Switch(usize),
    /// In no switch.
    Pulled,
}

/// The number of switches. Machines on different switches cannot reach each other.
const SWITCHES: usize = 2;

/// Machines that are all connected to the first switch.
#[derive(Debug)]
pub(super) struct Network {
    ip: PathBuf,
    /// The namespace of the switches.
    hub: String,
    machines: Vec<String>,
}

impl Network {
    /// Creates the network. Fails with the reason if this process lacks a program or a permission.
    pub(super) fn new(machines: usize) -> Result<Self, String> {
        let ip = find_ip().ok_or("there is no program `ip` (package iproute2)")?;
        let name = |end: &str| format!("hashloom-{}-{end}", std::process::id());
        let network = Self {
            ip,
            hub: name("hub"),
            machines: (0..machines).map(|number| name(&number.to_string())).collect(),
        };
        // From here on `drop` deletes whatever has been created.
        for namespace in network.namespaces() {
            network.run(&["netns", "add", namespace])?;
        }
        for switch in 0..SWITCHES {
            let commands = [format!("link add br{switch} type bridge"), format!("link set br{switch} up")];
            network.configure(&network.hub, &commands)?;
        }
        for (number, machine) in network.machines.iter().enumerate() {
            let cable = format!("link add port{number} type veth peer name eth0 netns {machine}");
            network.configure(&network.hub, &[cable])?;
            let address = format!("address add {}/24 dev eth0", network.address(number));
            network.configure(machine, &[address, "link set lo up".into(), "link set eth0 up".into()])?;
        }
        network.plug(&vec![Cable::Switch(0); machines]);
        Ok(network)
    }

    /// The IP address of a machine.
    pub(super) fn address(&self, machine: usize) -> String {
        assert!(machine < self.machines.len());
        format!("10.77.0.{}", machine + 1)
    }

    /// The command prefix that runs a program on a machine.
    pub(super) fn on(&self, machine: usize) -> Vec<String> {
        let ip = self.ip.to_str().unwrap();
        [ip, "netns", "exec", &self.machines[machine]].map(str::to_owned).to_vec()
    }

    /// Moves all cables at once.
    pub(super) fn plug(&self, cables: &[Cable]) {
        assert_eq!(cables.len(), self.machines.len());
        let commands: Vec<_> = cables
            .iter()
            .enumerate()
            .map(|(number, cable)| match cable {
                Cable::Switch(switch) => {
                    assert!(*switch < SWITCHES);
                    format!("link set port{number} up master br{switch}")
                }
                Cable::Pulled => format!("link set port{number} down"),
            })
            .collect();
        self.configure(&self.hub, &commands).unwrap();
    }

    fn namespaces(&self) -> impl Iterator<Item = &String> {
        self.machines.iter().chain([&self.hub])
    }

    fn configure(&self, namespace: &str, commands: &[String]) -> Result<(), String> {
        let mut ip = Command::new(&self.ip);
        ip.args(["-netns", namespace, "-batch", "-"]);
        finish(ip, &(commands.join("\n") + "\n"))
    }

    fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let mut ip = Command::new(&self.ip);
        ip.args(arguments);
        finish(ip, "")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.namespaces() {
            // A namespace that was not created cannot be deleted, which is harmless.
            let _ = self.run(&["netns", "delete", namespace]);
        }
    }
}

/// Runs a program that must succeed.
fn finish(mut command: Command, input: &str) -> Result<(), String> {
    let shown = format!("{command:?}");
    let failed = |error: &dyn std::fmt::Display| format!("{shown}: {error}");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).map_err(|error| failed(&error))?;
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(&String::from_utf8_lossy(&output.stderr).trim()))
}

/// The path of ordinary users lacks the directories of system programs.
fn find_ip() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|directory| directory.join("ip")).find(|ip| ip.exists())
}

/// Sends one HTTP request on the machine of the node that it is for. `None` if the node does not answer.
///
/// The shell opens the connection, because a process must be started in the other namespace anyway.
pub(super) async fn ask(
    on: &[String],
    port: u16,
    method: &str,
    path: &str,
    body: &str,
) -> Option<(u16, Value)> {
    const SCRIPT: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" && printf %s "$2" >&3 && cat <&3"#;
    let request = write_request(port, method, path, body);
    let output = tokio::process::Command::new(&on[0])
        .args(&on[1..])
        .args(["bash", "-c", SCRIPT, "bash", &port.to_string(), &request])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    read_answer(std::str::from_utf8(&output.stdout).ok()?)
}
