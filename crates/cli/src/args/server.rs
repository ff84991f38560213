//! The connection options, as in `psql`.

use clap::{ArgAction, Args};
use pg_clone::Environment;

use crate::error::{CliError, CliResult};

/// Which server. As for `psql`, `-h` is the host, and help is `--help` or `-?`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection options, as in psql", disable_help_flag = true)]
pub(crate) struct ServerArgs {
    /// Host name, address or socket folder
    #[arg(short = 'h', long, value_name = "HOSTNAME")]
    pub(crate) host: Option<String>,
    /// Port
    #[arg(short = 'p', long, value_name = "PORT")]
    pub(crate) port: Option<String>,
    /// User name
    #[arg(short = 'U', long, value_name = "USERNAME")]
    pub(crate) username: Option<String>,
    /// Database name, connection string or URL, instead of the argument
    #[arg(short = 'd', long, value_name = "DBNAME")]
    pub(crate) dbname: Option<String>,
    /// Never prompt for a password, which lastgood never does anyway
    #[arg(short = 'w', long)]
    no_password: bool,
    /// Refused: a password comes from ~/.pgpass, PGPASSFILE or PGPASSWORD
    #[arg(short = 'W', long, hide = true, conflicts_with = "no_password")]
    password: bool,
    /// Print help
    #[arg(long, short = '?', action = ArgAction::Help, help_heading = "Options")]
    help: Option<bool>,
}

impl ServerArgs {
    /// Whether any of them says something.
    pub(crate) fn is_given(&self) -> bool {
        [&self.host, &self.port, &self.username, &self.dbname].iter().any(|value| value.is_some())
    }

    /// The target: the argument, or what `-d` says in its place.
    ///
    /// # Errors
    /// [`CliError::Usage`] for both, and for `-W`.
    pub(crate) fn target<'a>(&'a self, argument: Option<&'a str>) -> CliResult<Option<&'a str>> {
        if self.password {
            return Err(CliError::usage(
                "`-W` is not supported: lastgood never prompts for a password",
                "nothing was done. Put the password into ~/.pgpass (mode 0600) or the file that PGPASSFILE names, and \
                 omit `-W`",
            ));
        }
        match (argument, self.dbname.as_deref()) {
            (Some(_), Some(_)) => Err(CliError::usage(
                "the database is given both as an argument and with `-d`",
                "nothing was done. Give it once: `-d` takes a name, a connection string or a URL, as the argument does",
            )),
            (argument, dbname) => Ok(argument.or(dbname)),
        }
    }

    /// The same without `-d`, for a command to which it stands for something else than the server's database.
    pub(crate) fn without_dbname(&self) -> Self {
        Self { dbname: None, ..self.clone() }
    }

    /// Tells the environment what the options say.
    pub(crate) fn apply(&self, environment: &mut Environment) {
        for (name, value) in [("host", &self.host), ("port", &self.port), ("user", &self.username)] {
            if let Some(value) = value {
                environment.set_option(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        database: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    }

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Command::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_short_options_are_psqls() {
        let parsed = parse("x -hh1 -p 5433 -U me -w shop").unwrap();
        assert_eq!(parsed.server.host.as_deref(), Some("h1"));
        assert!(parsed.server.is_given());
        assert_eq!(parsed.server.target(parsed.database.as_deref()).unwrap(), Some("shop"));
        let parsed = parse("x -d shop").unwrap();
        assert_eq!(parsed.server.target(None).unwrap(), Some("shop"));
        assert!(parsed.server.target(Some("shop")).is_err());
        assert!(parse("x -W").unwrap().server.target(None).is_err());
        assert!(!parse("x shop").unwrap().server.is_given());
    }

    #[test]
    fn help_has_other_names_and_a_host_that_is_missing_is_no_help() {
        for line in ["x --help", "x -?", "x shop -h h1 --help"] {
            assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::DisplayHelp, "{line}");
        }
        for line in ["x -h", "x -h -p 1", "x shop -h"] {
            let error = parse(line).unwrap_err();
            assert!(error.use_stderr() && error.exit_code() == 2, "{line}");
            assert!(error.to_string().contains("--help"), "{error}");
        }
    }
}
