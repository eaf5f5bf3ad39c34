"""From a target mixture to behaviour: models of groups, mixers, the gateway, fidelity."""
