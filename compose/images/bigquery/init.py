"""Create the dataset of the event sink; run again it changes nothing. Tables come with their first event."""

from api import PROJECT, call

DATASET = "nexus_events"

reference = {"datasetReference": {"projectId": PROJECT, "datasetId": DATASET}}
call("bigquery", "POST", "/datasets", reference, accept=(200, 409))
print(f"dataset {call('bigquery', 'GET', f'/datasets/{DATASET}')['id']} is there")
