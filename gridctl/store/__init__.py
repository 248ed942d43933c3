"""The memory: one repository per noun, every act in one transaction with its audit row."""
