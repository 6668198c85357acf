"""How Vigie is put on a machine: real servers, containers, schema, rules, dashboards."""
