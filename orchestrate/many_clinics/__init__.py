"""What a scheduler needs to know to run many clinics. Nothing in here imports Airflow: the DAG file does, and only it."""
