"""S3 event notifications: what a bucket tells of its objects, and to whom."""
