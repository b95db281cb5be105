//! How the variables of the environment apply to the options.

use std::env;

use clap::Command;

/// The command without the variables that do not apply: those that are set and empty, which is how compose files
/// pass what is not set, and those of options that only a running node reads, if `is_work` says that none will run.
pub(crate) fn applicable(command: Command, is_work: bool) -> Command {
    command.mut_args(|arg| {
        let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        // Options that the subcommands read are global.
        if is_empty || is_work && !arg.is_global_set() { arg.env(None) } else { arg }
    })
}

/// Whether the command line names a subcommand. Mistakes in it are reported by the parser that follows.
pub(crate) fn is_work(command: Command) -> bool {
    let command = command.mut_args(|arg| arg.env(None)).ignore_errors(true);
    command.try_get_matches().is_ok_and(|matches| matches.subcommand_name().is_some())
}

/// The line of an error with the variable beside each flag, since either may hold the mistake.
pub(crate) fn name_variables(command: &Command, line: &str) -> String {
    let mut line = line.to_owned();
    for arg in command.get_arguments() {
        let Some(variable) = arg.get_env() else { continue };
        let (flag, variable) = (arg.to_string(), variable.display());
        if line == flag {
            return format!("{flag} (or {variable})");
        }
        let quoted = format!("'{flag}'");
        line = line.replace(&quoted, &format!("{quoted} (or {variable})"));
    }
    line
}
