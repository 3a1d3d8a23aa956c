//! What a person would look at after a failure, printed before it is lost.

use super::bed::Bed;
use super::release::{SELECTOR, SYSTEM};

/// Shows the namespace of the journey that failed, and what the operator said.
pub async fn show(bed: &Bed) {
    eprintln!("\n---- the operator's log");
    say(bed, &["--namespace", SYSTEM, "logs", "--selector", SELECTOR, "--tail=60", "--prefix"]).await;
    eprintln!("\n---- why a pod of the operator may not run");
    let pressed = r#"jsonpath={range .items[*]}{.metadata.name}{" "}{.spec.taints}{"\n"}{end}"#;
    say(bed, &["--namespace", SYSTEM, "get", "pods,events", "--output", "wide"]).await;
    say(bed, &["get", "nodes", "--output", pressed]).await;
    let namespaces = bed.namespaces();
    let Some(namespace) = namespaces.last() else { return };
    for arguments in [
        // As `kubectl describe` has it, less the configs.
        &["get", "cod", "--output", r#"jsonpath={range .items[*]}{.metadata.name}: {.status}{"\n\n"}{end}"#][..],
        &["get", "jobs,pods", "--output", "wide"],
        &["get", "events", "--sort-by=.lastTimestamp"],
        &["logs", "--selector", "app.kubernetes.io/name=cloud-optimised", "--tail=12", "--prefix", "--max-log-requests=60"],
    ] {
        eprintln!("\n---- {namespace}: kubectl {}", arguments.join(" "));
        say(bed, &[&["--namespace", namespace], arguments].concat()).await;
    }
}

async fn say(bed: &Bed, arguments: &[&str]) {
    match bed.kubectl.say(arguments, "").await {
        Ok(said) => eprintln!("{}{}", said.out, said.err),
        Err(error) => eprintln!("{error:#}"),
    }
}
