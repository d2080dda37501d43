"""What commands share: options, tables, progress, output files."""
